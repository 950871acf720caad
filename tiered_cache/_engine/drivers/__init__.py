"""Drivers: they perform the effects of plans, in the calling thread or in tasks of an event loop.

`_engine.workers` and `_face` may import them.
"""
