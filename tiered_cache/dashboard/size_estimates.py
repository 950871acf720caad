"""Estimates of a tier at other sizes: the hit rate, and the seconds saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache.stats.output.advice import miss_seconds
from tiered_cache.stats.snapshot.tier_stats import CURVE_SIZES

if TYPE_CHECKING:
    from tiered_cache.stats.snapshot.cache_stats import CacheStats

__all__ = ["size_estimates"]

_HOUR_S = 3600.0


def size_estimates(stats: CacheStats, at: int, span_s: float | None) -> list[dict[str, Any]] | None:
    """The estimated hit rate of a tier at each of `CURVE_SIZES`, and the seconds it saves an hour.

    An additional hit saves the average cost of a miss: the lower tiers and the computation.

    Args:
        stats: The statistics of a window.
        at: The index of the tier.
        span_s: The length of the window. With `None`, no savings are estimated.

    Returns:
        `None` if the tier has no miss-ratio curve.
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
