"""The tiers of a snapshot as a table, for terminals and for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from tiered_cache.units import bytes_text, seconds_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tiered_cache.stats.snapshot.tier_stats import TierStats

__all__ = ["html_table", "text_table"]

_COLUMNS = ("tier", "lookups", "hits", "hit rate", "mean read", "entries", "bytes", "saved")
_UNKNOWN = "?"
_NAME_WIDTH = 40


def text_table(tiers: Iterable[TierStats], totals: Sequence[str]) -> str:
    """One line a tier and a last one with `totals`, in aligned columns.

    Names may come from other processes, so control characters are escaped and long names cut.

    Args:
        tiers: The tiers, fastest first.
        totals: The cells of the last line.
    """
    rows = [_COLUMNS, *map(_cells, tiers), (*totals, *[""] * (len(_COLUMNS) - len(totals)))]
    lines = [(_printable(name), *cells) for name, *cells in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_aligned(line, widths) for line in lines)


def html_table(tiers: Iterable[TierStats], caption: str) -> str:
    """An HTML table with one row a tier. Every text is escaped."""
    body = "".join(_row("td", _cells(tier)) for tier in tiers)
    return f"<table><caption>{escape(caption)}</caption>{_row('th', _COLUMNS)}{body}</table>"


def _cells(tier: TierStats) -> tuple[str, ...]:
    state = "" if tier.breaker == "closed" else f" (breaker {tier.breaker})"
    return (
        tier.name + state,
        f"{tier.lookups:,}",
        f"{tier.hits:,}",
        f"{tier.hit_rate:.1%}" if tier.lookups else _UNKNOWN,
        seconds_text(tier.mean_read_s) if tier.timed_reads else _UNKNOWN,
        _UNKNOWN if tier.entries is None else f"{tier.entries:,}",
        _UNKNOWN if tier.bytes is None else bytes_text(tier.bytes),
        seconds_text(tier.seconds_saved),
    )


def _printable(name: str) -> str:
    shown = name if name.isprintable() else ascii(name)
    return shown if len(shown) <= _NAME_WIDTH else f"{shown[: _NAME_WIDTH - 1]}…"


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    name, *numbers = cells
    columns = [f"{cell:>{width}}" for cell, width in zip(numbers, widths[1:], strict=True)]
    return "  ".join([f"{name:{widths[0]}}", *columns]).rstrip()


def _row(tag: str, cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"
