"""The data of the page: the statistics of one window as plain data, of bounded size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache.dashboard.plain_data import attributes, finite, latencies
from tiered_cache.dashboard.tier_data import tier_data
from tiered_cache.stats.output.advice import advise
from tiered_cache.stats.snapshot.gauges import largest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache.dashboard.fleet_snapshot import FleetSnapshot, ProcessRow
    from tiered_cache.dashboard.series import Series
    from tiered_cache.stats.snapshot.cache_stats import CacheStats, FunctionStats

__all__ = ["MAX_ADVICE", "MAX_PROCESSES", "TOP", "page_data"]

TOP = 8
"""Functions in each list."""

MAX_ADVICE = 4
"""Most pieces of advice at once."""

MAX_PROCESSES = 500
"""Most processes that are listed. The totals include all of them."""

_TOTALS = (
    "counted",
    "lookups",
    "hits",
    "stale_hits",
    "misses",
    "hit_rate",
    "coalesced",
    "waits",
    "computes",
    "compute_errors",
    "compute_seconds",
    "seconds_saved",
    "seconds_spent",
)
_OF_FUNCTION = (
    "name",
    "lookups",
    "hits",
    "hit_rate",
    "computes",
    "compute_errors",
    "compute_seconds",
    "seconds_saved",
)


def page_data(
    snapshot: FleetSnapshot, window: str, series: Series, trouble: Sequence[str] = ()
) -> dict[str, Any]:
    """The statistics of `window`, ready for JSON.

    Args:
        snapshot: The statistics.
        window: One of `WINDOW_NAMES`.
        series: The statistics over time.
        trouble: Sentences about failures, beside those of the snapshot.
    """
    stats, span_s = snapshot.windows[window]
    processes = sorted(snapshot.processes, key=_by_trouble_and_load)
    return {
        "at_s": snapshot.at_s,
        "window": window,
        "span_s": span_s,
        "trouble": [*snapshot.trouble, *trouble],
        "total": {**attributes(stats, _TOTALS), "compute": latencies(stats.compute_latency)},
        "tiers": tier_data(stats, span_s),
        "queue": _queue(stats),
        "bus": _bus(stats, is_used=bool(processes)),
        "functions": {
            "saved": _top(stats.functions, "seconds_saved"),
            "wasted": _top(stats.functions, "compute_seconds"),
        },
        "advice": [each.text for each in advise(stats, span_s)[:MAX_ADVICE]],
        "series": series.to_dict(window, [tier.name for tier in stats.tiers]),
        "processes": [_process(each) for each in processes[:MAX_PROCESSES]],
        "gone": snapshot.gone,
    }


def _queue(stats: CacheStats) -> dict[str, Any]:
    return {
        "depth": stats.queue_depth,
        "age_s": stats.queue_age_s,
        "parked": stats.queue_parked,
        "journal_bytes": stats.journal_bytes,
    }


def _bus(stats: CacheStats, *, is_used: bool) -> dict[str, Any]:
    return {
        # Only lookups read a change log. Without a process, the lag is the age of the page.
        "lag_s": stats.bus_lag_s if is_used else None,
        "delay_s": largest([tier.lag.delay_s for tier in stats.tiers if tier.lag]),
        "bound_s": finite(stats.staleness_bound_s),
    }


def _top(functions: Sequence[FunctionStats], field: str) -> list[dict[str, Any]]:
    best = sorted(functions, key=lambda each: getattr(each, field), reverse=True)[:TOP]
    return [
        {**attributes(each, _OF_FUNCTION), "compute": latencies(each.compute_latency)}
        for each in best
    ]


def _process(row: ProcessRow) -> dict[str, Any]:
    return {
        **attributes(row, ("host", "pid", "program", "started_s", "at_s")),
        **attributes(row.stats, ("lookups", "hit_rate", "seconds_saved")),
        "breakers": [
            {"tier": tier.name, "state": tier.breaker}
            for tier in row.stats.tiers
            if tier.breaker != "closed"
        ],
    }


def _by_trouble_and_load(row: ProcessRow) -> tuple[bool, int, str, int]:
    healthy = all(tier.breaker == "closed" for tier in row.stats.tiers)
    return healthy, -row.stats.lookups, row.host, row.pid
