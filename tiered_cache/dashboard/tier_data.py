"""The data of the page about tiers: counters, latencies and size estimates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache.dashboard.plain_data import attributes, latencies
from tiered_cache.dashboard.size_estimates import size_estimates

if TYPE_CHECKING:
    from tiered_cache.stats.snapshot.cache_stats import CacheStats
    from tiered_cache.stats.snapshot.tier_stats import TierStats

__all__ = ["tier_data"]

_SHOWN = (
    "name",
    "reach",
    "lookups",
    "hits",
    "stale_hits",
    "misses",
    "errors",
    "skips",
    "hit_rate",
    "promotions",
    "writes",
    "not_admitted",
    "write_refusals",
    "write_errors",
    "evictions",
    "expirations",
    "entries",
    "bytes",
    "max_entries",
    "max_bytes",
    "breaker",
    "detail",
    "seconds_saved",
)


def tier_data(stats: CacheStats, span_s: float | None) -> list[dict[str, Any]]:
    """The tiers of a snapshot, fastest first.

    Args:
        stats: The statistics of a window.
        span_s: The length of the window; `None` for everything counted so far.
    """
    return [
        {**_tier(tier), "what_if": size_estimates(stats, at, span_s)}
        for at, tier in enumerate(stats.tiers)
    ]


def _tier(tier: TierStats) -> dict[str, Any]:
    mean_write_s = tier.write_seconds / tier.writes if tier.writes else None
    return {
        **attributes(tier, _SHOWN),
        "breaker_changes": [each._asdict() for each in tier.breaker_changes],
        "get": {**latencies(tier.read_latency), "mean_s": tier.mean_read_s or None},
        "put": {**latencies(tier.write_latency), "mean_s": mean_write_s or None},
    }
