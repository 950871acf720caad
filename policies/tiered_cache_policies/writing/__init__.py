"""Write policies: which tiers a write goes to, in which order, now or later.

`tiered_cache.policies` imports the classes for users; the engine and `_face` import `WriteThrough`.
"""
