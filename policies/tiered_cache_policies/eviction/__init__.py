"""Eviction policies: which entry leaves a full tier. The modules with an underscore are shared parts.

`tiered_cache.policies` imports the classes for users. Modules with an underscore are imported only
here.
"""
