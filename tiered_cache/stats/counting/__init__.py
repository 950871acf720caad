"""Counters of a running cache, exact under threads. The faces make them and hand them to the engine.

Only `_face` imports it. A hit in a lower tier is counted inside one module, `cache_counters`.
"""
