"""The memory tier: live entries in this process.

Users import `MemoryTier`. The modules are private to this package.
"""

from tiered_cache.tiers.memory.tier import MemoryTier

__all__ = ["MemoryTier"]
