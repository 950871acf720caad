"""Statistics policies: how much is counted.

`tiered_cache.policies` imports the classes for users; `_face` imports the default.
"""
