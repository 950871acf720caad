"""Refresh policies: the consequence of a hit for the freshness of its value.

`tiered_cache.policies` imports the classes for users.
"""
