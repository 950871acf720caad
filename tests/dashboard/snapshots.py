"""Made-up statistics, for states of the page that are hard to bring about."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tiered_cache.dashboard.fleet_snapshot import WINDOW_NAMES, FleetSnapshot, ProcessRow
from tiered_cache.stats.fleet.history import Window
from tiered_cache.stats.snapshot.cache_stats import (
    BreakerChange,
    CacheStats,
    FunctionStats,
    TierStats,
)
from tiered_cache_policies.latency_histogram import LatencyHistogram

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["make_snapshot", "make_stats", "same_windows", "with_open_breaker"]

_HITS = (0.8, 0.6, 0.4)
_READ_S = (4e-7, 3e-5, 4e-4)


def make_stats(
    lookups: int = 0, *, tiers: Sequence[str] = ("memory", "disk", "redis")
) -> CacheStats:
    """The statistics of a cache after `lookups`, always in the same proportions."""
    reach, parts, hits = lookups, [], 0
    for name, share, read_s in zip(tiers, _HITS, _READ_S, strict=False):
        answered = int(reach * share)
        latency = LatencyHistogram()
        if reach:
            latency.record(read_s, reach)
        parts.append(
            TierStats(
                name,
                hits=answered,
                misses=reach - answered,
                seconds_saved=answered * 0.5,
                read_latency=latency,
                entries=answered // 4,
                max_entries=max(answered // 3, 1) if name == "memory" else None,
                bytes=answered * 700,
            )
        )
        hits += answered
        reach -= answered
    computes = LatencyHistogram()
    if reach:
        computes.record(0.5, reach)
    return CacheStats(
        hits=hits,
        misses=reach,
        computes=reach,
        compute_seconds=reach * 0.5,
        compute_latency=computes,
        tiers=tuple(parts),
        staleness_bound_s=2.0,
        functions=tuple(
            FunctionStats(
                name, hits=hits // part, computes=reach // part, seconds_saved=hits / part
            )
            for part, name in enumerate(["checks.types", "checks.lint", "metrics.complexity"], 2)
        ),
    )


def same_windows(stats: CacheStats, span_s: float | None = None) -> dict[str, Window]:
    """All windows with the same statistics; `span_s` is the length of all but the last."""
    return {name: Window(stats, None if name == "all" else span_s) for name in WINDOW_NAMES}


def make_snapshot(
    at_s: float, *, lookups: int = 0, processes: int = 1, **more: Any
) -> FleetSnapshot:
    """A snapshot of `processes` with `lookups` in total; `more` are fields of `FleetSnapshot`."""
    stats = make_stats(lookups)
    rows = [
        ProcessRow(
            f"host-{number // 10:02}.example.org",
            1000 + number,
            "python -m analysis",
            at_s - 3600 - number,
            at_s - number % 3,
            make_stats(lookups // processes),
        )
        for number in range(processes)
    ]
    windows = more.pop("windows", same_windows(stats, 60.0))
    return FleetSnapshot(at_s, windows, more.pop("rows", rows), **more)


def with_open_breaker(stats: CacheStats, name: str, at_s: float) -> CacheStats:
    """`stats` with the breaker of the tier `name` open."""
    return replace(
        stats,
        staleness_bound_s=math.inf,
        tiers=tuple(
            replace(
                tier,
                breaker="open",
                detail="connection refused",
                skips=12,
                breaker_changes=(BreakerChange(at_s - 3, "open"),),
            )
            if tier.name == name
            else tier
            for tier in stats.tiers
        ),
    )
