"""Statistics as a table of HTML, for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tiered_cache.stats.snapshot.cache_stats import CacheStats
    from tiered_cache.stats.snapshot.tier_stats import TierStats

__all__ = ["to_html"]

_COLUMNS = ("tier", "lookups", "hits", "hit rate", "mean read", "entries", "bytes", "saved")
_UNKNOWN = "?"
_TIMES = (
    (86_400.0, "d"),
    (3600.0, "h"),
    (60.0, "min"),
    (1.0, "s"),
    (1e-3, "ms"),
    (1e-6, "µs"),
    (1e-9, "ns"),
)
_SIZES = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B"))


def to_html(stats: CacheStats) -> str:
    """A table with a row for each tier, and the whole cache in its caption. Every text is escaped."""
    if not stats.counted:
        return "<p>Nothing is counted: the statistics policy is <code>Off</code>.</p>"
    caption = (
        f"{stats.lookups:,} lookups, {stats.hit_rate:.1%} hits, {stats.computes:,} computations; "
        f"{_in(stats.seconds_saved, _TIMES)} saved, {_in(stats.seconds_spent, _TIMES)} spent"
    )
    head = _row("th", _COLUMNS)
    body = "".join(_row("td", _cells(tier)) for tier in stats.tiers)
    return f"<table><caption>{escape(caption)}</caption>{head}{body}</table>"


def _cells(tier: TierStats) -> Iterable[str]:
    state = "" if tier.breaker == "closed" else f" (breaker {tier.breaker})"
    return (
        tier.name + state,
        f"{tier.lookups:,}",
        f"{tier.hits:,}",
        f"{tier.hit_rate:.1%}" if tier.lookups else _UNKNOWN,
        _in(tier.mean_read_s, _TIMES) if tier.timed_reads else _UNKNOWN,
        _UNKNOWN if tier.entries is None else f"{tier.entries:,}",
        _UNKNOWN if tier.bytes is None else _in(tier.bytes, _SIZES),
        _in(tier.seconds_saved, _TIMES),
    )


def _row(tag: str, cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"


def _in(value: float, units: Iterable[tuple[float, str]]) -> str:
    """A number of three digits, in the largest unit that it is at least one of."""
    size = abs(value)
    *_, (smallest, name) = units
    for factor, unit in units:
        if size >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value / smallest:.3g} {name}"
