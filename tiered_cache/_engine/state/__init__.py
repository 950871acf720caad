"""What an engine remembers: flights, the write queue, locks of keys, outdated keys, breakers.

Nothing here does I/O or knows a plan. Imported by the rest of `_engine` only.
"""
