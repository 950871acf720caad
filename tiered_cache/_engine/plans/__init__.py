"""The algorithms, as generators of effects: each is written once, for threads and event loops.

No plan does I/O, waits, or reads a clock. Drivers, workers, `_face`, `cache` and `aio` import them.
"""
