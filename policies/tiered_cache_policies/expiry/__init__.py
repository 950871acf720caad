"""Expiry policies: how long a value is fresh. A cache applies several in order.

`tiered_cache.policies` imports the classes for users.
"""
