"""The memory tier: live entries in this process."""

from tiered_cache.tiers.memory.tier import MemoryTier

__all__ = ["MemoryTier"]
