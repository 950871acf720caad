"""The daemon threads of a cache: flushing, refreshing, renewing leases, following change logs.

Only `_face` imports them.
"""
