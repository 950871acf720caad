"""The demo's outcome for people: the table, and what it shows in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tiered_cache import TierStats
    from tiered_cache.cli.demo.runs import Demo, Run

__all__ = ["conclusion", "runs_table", "seconds", "size", "titles"]

_COLUMNS = (
    "Wall",
    "Speed\nup",
    "Tier",
    "Look-\nups",
    "Hits",
    "Hit\nrate",
    "Mean\nread",
    "Bytes\nmoved",
    "Seconds\nsaved",
)


def titles(jobs: int) -> str:
    """What the runs are, in a sentence."""
    how = "one process" if jobs == 1 else f"{jobs} processes"
    return f"Each run uses {how}."


def runs_table(demo: Demo, *, microseconds: str) -> Table:
    """One row for each tier in each run; at most 80 columns wide.

    Args:
        demo: What to show.
        microseconds: How to write the unit.
    """
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("Run", no_wrap=True, style="bold")
    for name in _COLUMNS:
        table.add_column(
            name, justify="left" if name == "Tier" else "right", no_wrap=True, vertical="bottom"
        )
    cold = demo.runs[0]
    for run in demo.runs:
        table.add_section()
        for row, tier in enumerate(run.tiers):
            wall, speed = seconds(run.wall_s), _times(cold.wall_s / run.wall_s)
            begin = (run.name, wall, speed) if row == 0 else ("", "", "")
            table.add_row(*begin, *_cells(tier, microseconds))
    return table


def _cells(tier: TierStats, microseconds: str) -> tuple[str, ...]:
    return (
        tier.name,
        f"{tier.lookups:,}",
        f"{tier.hits:,}",
        f"{tier.hit_rate:.0%}" if tier.lookups else "-",
        _latency(tier.mean_read_s, microseconds) if tier.timed_reads else "-",
        size(tier.read_bytes + tier.written_bytes),
        f"{max(tier.seconds_saved, 0.0):,.1f}",
    )


def conclusion(demo: Demo) -> Iterator[str]:
    """What the table shows, one sentence for each run, taken from its numbers."""
    cold, *later = demo.runs
    yield (
        f"Cold: {seconds(cold.wall_s)} to read {cold.lines:,} lines and compute "
        f"{cold.computes:,} answers."
    )
    for run in later:
        yield f"{_BEGIN[run.name]} {seconds(run.wall_s)} instead of {seconds(cold.wall_s)}: {_why(run)}"
    if cold.failed:
        yield f"{cold.failed:,} files could not be read, parsed or measured: that is their answer."
    if demo.no_redis:
        yield f"Without Redis ({demo.no_redis}), so without a second machine."


_BEGIN = {
    "warm": "The same processes again took",
    "restart": "The restart took",
    "machine 2": "The second machine took",
}
_PLACES = {
    "memory": "in its memory",
    "disk": "on the disk",
    "redis": "in the Valkey server",
}


def _why(run: Run) -> str:
    found = [f"{tier.hits:,} {_PLACES[tier.name]}" for tier in run.tiers if tier.hits]
    computed = f"{run.computes:,} were computed anew" if run.computes else "nothing was computed"
    return f"it found {', '.join(found) or 'no answers'}; {computed}."


def seconds(value: float) -> str:
    """Seconds, with the digits that matter."""
    return f"{value:,.1f} s" if value >= 10 else f"{value:.2f} s"


def size(value: int) -> str:
    """A number of bytes in a unit that suits it."""
    if value < 1024:
        return f"{value} B"
    if value < 1024 * 1024:
        return f"{value / 1024:.0f} KiB"
    return f"{value / 1024 / 1024:,.1f} MiB"


def _times(value: float) -> str:
    return f"{value:,.0f}x" if value >= 10 else f"{value:.1f}x"


def _latency(value: float, microseconds: str) -> str:
    micro = value * 1e6
    if micro >= 1000:
        return f"{micro / 1000:.1f} ms"
    return f"{micro:.0f} {microseconds}" if micro >= 10 else f"{micro:.1f} {microseconds}"
