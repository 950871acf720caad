"""Conformance suites of policies, one module a contract.

Only `tiered_cache.testing` imports the modules. Programs import the classes from there.
"""
