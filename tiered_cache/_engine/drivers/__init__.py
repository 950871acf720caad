"""What carries out the effects of plans: in the calling thread, or in the tasks of an event loop.

Imported by workers and `_face`.
"""
