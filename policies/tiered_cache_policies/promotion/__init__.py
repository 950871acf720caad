"""Promotion policies: whether a hit in a lower tier is copied upwards.

`tiered_cache.policies` imports the classes for users; `_face` imports the default, `Always`.
"""
