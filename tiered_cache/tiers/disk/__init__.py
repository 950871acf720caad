"""The disk tier: records in a `diskcache` directory that the processes of a host share.

`DiskTier` is public; the other modules serve it. `diagnosis` inspects a database by `_inspection`.
"""

from tiered_cache.tiers.disk.tier import DiskTier

__all__ = ["DiskTier"]
