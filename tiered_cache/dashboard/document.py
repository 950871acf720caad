"""What the page is told: the numbers of one window as plain data, of bounded size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tiered_cache.dashboard.whatif import what_if
from tiered_cache.stats.output.advice import advise
from tiered_cache.stats.snapshot.gauges import largest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache.dashboard.reading import ProcessRow, Reading
    from tiered_cache.dashboard.series import Series
    from tiered_cache.stats.snapshot.cache_stats import CacheStats, FunctionStats, TierStats
    from tiered_cache_policies.statistics.histogram import LatencyHistogram

__all__ = ["MAX_ADVICE", "MAX_PROCESSES", "TOP", "document"]

TOP = 8
"""Functions that each list has."""

MAX_ADVICE = 4
"""Pieces of advice that are given at once."""

MAX_PROCESSES = 500
"""Processes that are told one by one; all of them are in the sums."""

_NO_LATENCY = {"p50_s": None, "p95_s": None, "p99_s": None}


def document(
    reading: Reading, window: str, series: Series, trouble: Sequence[str] = ()
) -> dict[str, Any]:
    """The numbers of `window`, ready for JSON.

    Args:
        reading: The numbers.
        window: Which of `reading.WINDOWS`.
        series: What came before.
        trouble: What else could not be read.
    """
    stats, span_s = reading.spans[window]
    processes = sorted(reading.processes, key=_by_trouble_and_load)
    return {
        "at_s": reading.at_s,
        "window": window,
        "span_s": span_s,
        "trouble": [*reading.trouble, *trouble],
        "total": _total(stats),
        "tiers": _tiers(stats, span_s),
        "queue": {
            "depth": stats.queue_depth,
            "age_s": stats.queue_age_s,
            "parked": stats.queue_parked,
            "journal_bytes": stats.journal_bytes,
        },
        "bus": {
            # Who looks up nothing reads no log: it would only say how long the page has been open.
            "lag_s": stats.bus_lag_s if processes else None,
            "delay_s": largest([tier.lag.delay_s for tier in stats.tiers if tier.lag]),
            "bound_s": _finite(stats.staleness_bound_s),
        },
        "functions": {
            "saved": _top(stats.functions, "seconds_saved"),
            "wasted": _top(stats.functions, "compute_seconds"),
        },
        "advice": [each.text for each in advise(stats, span_s)[:MAX_ADVICE]],
        "series": series.to_dict(window, [tier.name for tier in stats.tiers]),
        "processes": [_process(each) for each in processes[:MAX_PROCESSES]],
        "gone": reading.gone,
    }


def _total(stats: CacheStats) -> dict[str, Any]:
    return {
        "counted": stats.counted,
        "lookups": stats.lookups,
        "hits": stats.hits,
        "stale_hits": stats.stale_hits,
        "misses": stats.misses,
        "hit_rate": stats.hit_rate,
        "coalesced": stats.coalesced,
        "waits": stats.waits,
        "computes": stats.computes,
        "compute_errors": stats.compute_errors,
        "compute_seconds": stats.compute_seconds,
        "seconds_saved": stats.seconds_saved,
        "seconds_spent": stats.seconds_spent,
        "compute": _latency(stats.compute_latency),
    }


def _tiers(stats: CacheStats, span_s: float | None) -> list[dict[str, Any]]:
    return [
        {**_tier(tier), "what_if": what_if(stats, at, span_s)}
        for at, tier in enumerate(stats.tiers)
    ]


def _tier(tier: TierStats) -> dict[str, Any]:
    return {
        "name": tier.name,
        "reach": tier.reach,
        "lookups": tier.lookups,
        "hits": tier.hits,
        "stale_hits": tier.stale_hits,
        "misses": tier.misses,
        "errors": tier.errors,
        "skips": tier.skips,
        "hit_rate": tier.hit_rate,
        "promotions": tier.promotions,
        "writes": tier.writes,
        "not_admitted": tier.not_admitted,
        "write_refusals": tier.write_refusals,
        "write_errors": tier.write_errors,
        "evictions": tier.evictions,
        "expirations": tier.expirations,
        "entries": tier.entries,
        "bytes": tier.bytes,
        "max_entries": tier.max_entries,
        "max_bytes": tier.max_bytes,
        "breaker": tier.breaker,
        "detail": tier.detail,
        "breaker_changes": [each._asdict() for each in tier.breaker_changes],
        "get": {**_latency(tier.read_latency), "mean_s": tier.mean_read_s or None},
        "put": {**_latency(tier.write_latency), "mean_s": _mean(tier.write_seconds, tier.writes)},
        "seconds_saved": tier.seconds_saved,
    }


def _top(functions: Sequence[FunctionStats], field: str) -> list[dict[str, Any]]:
    best = sorted(functions, key=lambda each: getattr(each, field), reverse=True)[:TOP]
    return [
        {
            "name": each.name,
            "lookups": each.lookups,
            "hits": each.hits,
            "hit_rate": each.hit_rate,
            "computes": each.computes,
            "compute_errors": each.compute_errors,
            "compute_seconds": each.compute_seconds,
            "seconds_saved": each.seconds_saved,
            "compute": _latency(each.compute_latency),
        }
        for each in best
    ]


def _process(row: ProcessRow) -> dict[str, Any]:
    return {
        "host": row.host,
        "pid": row.pid,
        "program": row.program,
        "started_s": row.started_s,
        "at_s": row.at_s,
        "lookups": row.stats.lookups,
        "hit_rate": row.stats.hit_rate,
        "seconds_saved": row.stats.seconds_saved,
        "breakers": [
            {"tier": tier.name, "state": tier.breaker}
            for tier in row.stats.tiers
            if tier.breaker != "closed"
        ],
    }


def _by_trouble_and_load(row: ProcessRow) -> tuple[bool, int, str, int]:
    calm = all(tier.breaker == "closed" for tier in row.stats.tiers)
    return calm, -row.stats.lookups, row.host, row.pid


def _latency(latency: LatencyHistogram | None) -> dict[str, Any]:
    if latency is None:
        return _NO_LATENCY
    found = latency.to_dict()
    return {name: found[name] for name in _NO_LATENCY}


def _mean(seconds: float, times: int) -> float | None:
    return seconds / times if times and seconds else None


def _finite(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None
