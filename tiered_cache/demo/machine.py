"""A machine of the demo: the cache stack over its disk and the shared server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache import DiskTier, MemoryTier, RedisTier, TieredCache

if TYPE_CHECKING:
    import os

    from tiered_cache.contracts import Tier

__all__ = ["NAMESPACE", "open_machine"]

NAMESPACE = "demo"


def open_machine(
    disk: str | os.PathLike[str], redis_url: str | None, *, max_entries: int = 10_000
) -> TieredCache:
    """A cache of memory, disk and, with a URL, Redis.

    Args:
        disk: The directory of the disk tier.
        redis_url: The server's URL, or `None` for a stack without Redis.
        max_entries: The size of the memory tier.
    """
    tiers: list[Tier[Any]] = [MemoryTier(max_entries), DiskTier(disk)]
    if redis_url is not None:
        tiers.append(RedisTier(redis_url, timeout="2s"))
    return TieredCache(tiers, namespace=NAMESPACE)
