"""The memory of an engine: flights, the write queue, key locks, outdated keys, breakers, leases.

Nothing here does I/O or knows a plan. Imported by the rest of `_engine` and by `_face`.
"""
