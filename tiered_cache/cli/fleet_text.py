"""The statistics of a fleet as text: a table of the tiers, and lines below it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from tiered_cache._terminal.figures import amount, size, span
from tiered_cache.stats.output.advice import advise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tiered_cache.contracts.change_log import Lag
    from tiered_cache.stats.fleet.fleet_stats import FleetStats
    from tiered_cache.stats.snapshot.cache_stats import CacheStats, TierStats

__all__ = ["fleet_lines", "fleet_table"]

_WIDTH = 80
_NAME_WIDTH = 11
_FUNCTIONS = 5
_REACHES = {"cluster": "all hosts", "host": "this host", "process": "this process"}
_COLUMNS = ("tier", "lookups", "hits", "rate", "read", "saved", "entries", "bytes")


def fleet_table(fleet: FleetStats) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The columns, and the rows: one for each tier and one for the total."""
    stats = fleet.stats
    total = (
        "all",
        amount(stats.lookups),
        amount(stats.hits),
        f"{stats.hit_rate:.1%}",
        "",
        span(stats.seconds_saved),
        "",
        "",
    )
    return _COLUMNS, [*(_row(tier) for tier in stats.tiers), total]


def _row(tier: TierStats) -> tuple[str, ...]:
    return (
        _short(tier.name, _NAME_WIDTH),
        amount(tier.lookups),
        amount(tier.hits),
        f"{tier.hit_rate:.1%}",
        _read_time(tier),
        span(tier.seconds_saved),
        amount(tier.entries),
        size(tier.bytes),
    )


def _read_time(tier: TierStats) -> str:
    """The median of a read where the statistics policy keeps it, else the mean."""
    median = None if tier.read_latency is None else tier.read_latency.quantile(0.5)
    seconds = tier.mean_read_s if median is None else median
    return span(seconds) if seconds else ""


def fleet_lines(fleet: FleetStats) -> Iterator[str]:
    """The lines below the table. They fit 80 characters, except for details of tiers."""
    stats = fleet.stats
    running = len(fleet.processes)
    covered = "since they began" if fleet.span_s is None else f"in the last {span(fleet.span_s)}"
    yield ""
    yield f"{running} running, {fleet.gone} ended processes of {_REACHES[fleet.reach]}, {covered}"
    if fleet.unreadable:
        yield f"{fleet.unreadable} published reports could not be read"
    yield from _computing(stats)
    for tier in stats.tiers:
        yield from _state(tier)
    yield from _functions(stats)
    for each in advise(stats, fleet.span_s):
        yield ""
        yield from textwrap.wrap(each.text, _WIDTH, break_on_hyphens=False)


def _computing(stats: CacheStats) -> Iterator[str]:
    yield (
        f"{amount(stats.computes)} computed in {span(stats.compute_seconds)}"
        f" ({amount(stats.compute_errors)} failed), {amount(stats.coalesced)} shared"
    )
    if stats.queue_depth or stats.queue_parked:
        yield (
            f"{amount(stats.queue_depth)} writes queued, the oldest for {span(stats.queue_age_s)};"
            f" {amount(stats.queue_parked)} given up"
        )


def _state(tier: TierStats) -> Iterator[str]:
    if tier.breaker != "closed":
        yield f"{tier.name}: breaker {tier.breaker}: {tier.detail}"
    elif tier.detail:
        yield f"{tier.name}: {tier.detail}"
    if tier.lag is not None:
        yield f"{tier.name}: {_lag(tier.lag)}"


def _lag(lag: Lag) -> str:
    if lag.behind_s is None:
        return "changes by others are not known"
    late = "" if lag.delay_s is None else f", the last one {span(lag.delay_s)} late"
    return f"changes by others are known up to {span(lag.behind_s)} ago{late}"


def _functions(stats: CacheStats) -> Iterator[str]:
    functions = sorted(stats.functions, key=lambda each: each.seconds_saved, reverse=True)
    if functions:
        yield ""
        yield f"{'function':<44}{'lookups':>9}{'rate':>8}{'saved':>9}{'spent':>9}"
    for each in functions[:_FUNCTIONS]:
        yield (
            f"{_short(each.name, 43):<44}{amount(each.lookups):>9}{each.hit_rate:>8.1%}"
            f"{span(each.seconds_saved):>9}{span(each.compute_seconds):>9}"
        )


def _short(name: str, width: int) -> str:
    """`name` cut at its front: the end of a qualified name says most."""
    return name if len(name) <= width else f"…{name[1 - width :]}"
