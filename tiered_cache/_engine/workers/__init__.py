"""The daemon threads of a cache: flushing, refreshing, renewing leases, following change logs.

Imported by `_face` only.
"""
