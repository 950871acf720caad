"""What a tier of another size would give: hit rates, and the seconds that they save."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache.stats.output.advice import miss_seconds
from tiered_cache.stats.snapshot.tier_stats import CURVE_SIZES

if TYPE_CHECKING:
    from tiered_cache.stats.snapshot.cache_stats import CacheStats

__all__ = ["what_if"]

_HOUR_S = 3600.0


def what_if(stats: CacheStats, at: int, span_s: float | None) -> list[dict[str, Any]] | None:
    """The hit rate of a tier at each of `CURVE_SIZES`, and what that saves an hour.

    A lookup that the tier answers more saves what a miss of it costs: on average, what the tiers
    below and computing took. `None` where no curve is known.

    Args:
        stats: What happened in a window.
        at: Which tier.
        span_s: How long the window is; without it, no seconds an hour are told.
    """
    tier = stats.tiers[at]
    if tier.hit_rate_at(1.0) is None:
        return None
    miss_s = miss_seconds(stats, tier)
    points = []
    for times in CURVE_SIZES:
        hit_rate = tier.hit_rate_at(times) or 0.0
        more = (hit_rate - tier.hit_rate) * tier.lookups
        saved_s = more * miss_s * _HOUR_S / span_s if span_s else None
        points.append({"times": times, "hit_rate": hit_rate, "saved_per_hour_s": saved_s})
    return points
