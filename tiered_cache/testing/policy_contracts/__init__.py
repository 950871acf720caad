"""Conformance suites of policies, one module a contract. `tiered_cache.testing` offers the classes."""
