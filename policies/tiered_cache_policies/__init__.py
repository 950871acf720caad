"""Policies for tiered caches: pure decisions, without I/O, threads or a clock.

The folders are the kinds; each module is a policy and has its name. Users import the classes from
`tiered_cache.policies`. Besides the standard library, only eviction imports anything: `cachetools`.
"""
