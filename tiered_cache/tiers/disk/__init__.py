"""The disk tier: records in a `diskcache` directory that the processes of a host share."""

from tiered_cache.tiers.disk.tier import DiskTier

__all__ = ["DiskTier"]
