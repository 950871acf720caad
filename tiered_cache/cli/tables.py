"""The numbers of a fleet as short texts for a table and the lines below it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from tiered_cache.stats.output.advice import advise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tiered_cache.contracts.change_log import Lag
    from tiered_cache.stats.fleet.fleet_stats import FleetStats
    from tiered_cache.stats.snapshot.cache_stats import TierStats

__all__ = ["amount", "fleet_lines", "fleet_table", "size", "span"]

_WIDTH = 80
_NAME_WIDTH = 11
_FUNCTIONS = 5
_REACHES = {"cluster": "all hosts", "host": "this host", "process": "this process"}


def fleet_table(fleet: FleetStats) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The columns, and a row for each tier and one for all."""
    stats = fleet.stats
    columns: tuple[str, ...] = (
        "tier",
        "lookups",
        "hits",
        "rate",
        "read",
        "saved",
        "entries",
        "bytes",
    )
    rows: list[tuple[str, ...]] = [
        (
            _short(tier.name, _NAME_WIDTH),
            amount(tier.lookups),
            amount(tier.hits),
            f"{tier.hit_rate:.1%}",
            _read(tier),
            span(tier.seconds_saved),
            amount(tier.entries),
            size(tier.bytes),
        )
        for tier in stats.tiers
    ]
    rows.append(
        (
            "all",
            amount(stats.lookups),
            amount(stats.hits),
            f"{stats.hit_rate:.1%}",
            "",
            span(stats.seconds_saved),
            "",
            "",
        )
    )
    return columns, rows


def fleet_lines(fleet: FleetStats) -> Iterator[str]:
    """What else there is to say, in lines of at most 80 characters but for what has to be whole."""
    stats = fleet.stats
    running = len(fleet.processes)
    covered = "since they began" if fleet.span_s is None else f"in the last {span(fleet.span_s)}"
    yield ""
    yield f"{running} running, {fleet.gone} ended processes of {_REACHES[fleet.reach]}, {covered}"
    if fleet.unreadable:
        yield f"{fleet.unreadable} of what was published could not be read"
    yield (
        f"{amount(stats.computes)} computed in {span(stats.compute_seconds)}"
        f" ({amount(stats.compute_errors)} failed), {amount(stats.coalesced)} shared"
    )
    if stats.queue_depth or stats.queue_parked:
        yield (
            f"{amount(stats.queue_depth)} writes queued, the oldest for {span(stats.queue_age_s)};"
            f" {amount(stats.queue_parked)} given up"
        )
    for tier in stats.tiers:
        if tier.breaker != "closed":
            yield f"{tier.name} is {tier.breaker}: {tier.detail}"
        elif tier.detail:
            yield f"{tier.name}: {tier.detail}"
        if tier.lag is not None:
            yield f"{tier.name}: {_lag(tier.lag)}"
    yield from _functions(fleet)
    for each in advise(stats, fleet.span_s):
        yield ""
        yield from textwrap.wrap(each.text, _WIDTH, break_on_hyphens=False)


def _lag(lag: Lag) -> str:
    if lag.behind_s is None:
        return "what others changed is not known"
    late = "" if lag.delay_s is None else f", the last one {span(lag.delay_s)} late"
    return f"what others changed is known up to {span(lag.behind_s)} ago{late}"


def _functions(fleet: FleetStats) -> Iterator[str]:
    functions = sorted(fleet.stats.functions, key=lambda each: each.seconds_saved, reverse=True)
    if functions:
        yield ""
        yield f"{'function':<44}{'lookups':>9}{'rate':>8}{'saved':>9}{'spent':>9}"
    for each in functions[:_FUNCTIONS]:
        yield (
            f"{_short(each.name, 43):<44}{amount(each.lookups):>9}{each.hit_rate:>8.1%}"
            f"{span(each.seconds_saved):>9}{span(each.compute_seconds):>9}"
        )


def _read(tier: TierStats) -> str:
    """The median of a read where it is known, else the mean."""
    median = None if tier.read_latency is None else tier.read_latency.quantile(0.5)
    seconds = tier.mean_read_s if median is None else median
    return span(seconds) if seconds else ""


def _short(name: str, width: int) -> str:
    """The end of a name says most."""
    return name if len(name) <= width else f"…{name[1 - width :]}"


def amount(number: float | None) -> str:
    """A number in at most six characters: `1,234`, `56.8k`, `9.1M`; nothing for `None`."""
    if number is None:
        return ""
    for bound, unit, divisor in ((10_000, "", 1), (1e6, "k", 1e3), (1e9, "M", 1e6)):
        if number < bound:
            return f"{number / divisor:.1f}{unit}" if unit else f"{number:,.0f}"
    return f"{number / 1e9:,.1f}G"


def size(number: int | None) -> str:
    """Bytes in at most eight characters."""
    if number is None:
        return ""
    value = float(number)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:,.1f} TiB"


def span(seconds: float) -> str:
    """A duration in at most eight characters."""
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    for bound, unit, factor in ((1e-3, "us", 1e6), (1.0, "ms", 1e3), (120.0, "s", 1.0)):
        if seconds < bound:
            return f"{sign}{seconds * factor:.1f} {unit}" if seconds else "0 s"
    for bound, unit, divisor in ((7200.0, "min", 60.0), (172_800.0, "h", 3600.0)):
        if seconds < bound:
            return f"{sign}{seconds / divisor:.1f} {unit}"
    return f"{sign}{seconds / 86_400:,.1f} d"
