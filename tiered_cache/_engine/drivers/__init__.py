"""Drivers: they perform the effects of plans, in the calling thread or in tasks of an event loop.

Imported by workers and `_face`.
"""
