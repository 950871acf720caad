"""The memory of an engine: flights, the write queue, key locks, outdated keys, breakers, leases.

Nothing here does I/O or knows a plan. The rest of `_engine` and `_face` import it.
"""
