"""The disk tier: records in a `diskcache` directory that the processes of a host share.

Users import `DiskTier`; the other modules serve it. Of those, `diagnosis` imports `_database` and
`_inspection`.
"""

from tiered_cache.tiers.disk.tier import DiskTier

__all__ = ["DiskTier"]
