"""Admission policies: whether a value may enter a tier. They combine with `&`, `|` and `~`.

`tiered_cache.policies` imports the classes for users; `config` imports `operators`.
"""
