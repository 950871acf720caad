"""The demo's words for people: the introduction, the table, and what it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from tiered_cache.cli.output import printable
from tiered_cache.demo.analyses import ANALYSES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tiered_cache import TierStats
    from tiered_cache.demo.runs import Demo, Run
    from tiered_cache.demo.tree import Tree

__all__ = ["conclusion", "introduction", "runs_table"]

_COLUMNS = (
    "Wall\ntime",
    "Speed-\nup",
    "Tier",
    "Lookups",
    "Hits",
    "Hit\nrate",
    "Mean\nread",
    "Bytes\nmoved",
    "Time\nsaved",
)
_LEGEND = (
    "Mean read: one lookup in the tier. Bytes moved: records read and written. Time saved: the "
    "computing, summed over the processes, that hits made unnecessary, less the time they took."
)
_NAMED = 3
_SUBJECTS = {"warm": "warm run", "restart": "restart", "machine 2": "second machine"}
_PLACES = {"memory": "in memory", "disk": "on disk", "redis": "in the Valkey server"}


def introduction(tree: Tree, jobs: int, *, redis: bool) -> Iterator[str]:
    """What is about to happen."""
    total = sum(length for _, length in tree.files)
    yield f"Analysing {tree.name}: {_count(len(tree.files), 'Python file')}, {_size(total)}."
    if tree.note:
        yield f"Left out: {tree.note}."
    names = [analysis.name for analysis in ANALYSES]
    yield f"About each file: {', '.join(names[:-1])} and {names[-1]}."
    yield ""
    yield from _plan(min(jobs, len(tree.files)), redis=redis)
    yield ""


def _plan(processes: int, *, redis: bool) -> Iterator[str]:
    same, new = (
        ("the same process", "a new process")
        if processes == 1
        else (f"the same {processes} processes", f"{processes} new processes")
    )
    yield f"  cold       {new}, and nothing is cached"
    yield f"  warm       {same} once more: the answers are in memory (L1)"
    yield f"  restart    {new}, on the same disk (L2)"
    if redis:
        yield f"  machine 2  {new}, on an empty disk, with the same Valkey server (L3)"


def runs_table(demo: Demo, *, microseconds: str) -> Table:
    """One row for each tier in each run; at most 80 columns wide.

    Args:
        demo: What to show.
        microseconds: How to write the unit.
    """
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 0), pad_edge=False, show_edge=False)
    table.add_column("Run", no_wrap=True, style="bold", vertical="bottom")
    for name in _COLUMNS:
        table.add_column(
            name, justify="left" if name == "Tier" else "right", no_wrap=True, vertical="bottom"
        )
    cold = demo.runs[0]
    for run in demo.runs:
        table.add_section()
        begin = (run.name, _seconds(run.wall_s), _times(cold.wall_s / run.wall_s))
        for tier in run.tiers:
            table.add_row(*begin, *_cells(tier, microseconds))
            begin = ("", "", "")
    return table


def _cells(tier: TierStats, microseconds: str) -> tuple[str, ...]:
    if not tier.lookups:
        return (f" {tier.name}", "0", "0", "-", "-", "-", "-")
    return (
        f" {tier.name}",
        f"{tier.lookups:,}",
        f"{tier.hits:,}",
        f"{tier.hit_rate:.0%}",
        _latency(tier.mean_read_s, microseconds) if tier.mean_read_s else "-",
        _size(tier.read_bytes + tier.written_bytes),
        _seconds(tier.seconds_saved) if tier.hits else "-",
    )


def conclusion(demo: Demo) -> Iterator[str]:
    """What the table means, and what it shows: a sentence for each run, made of its numbers."""
    cold, *later = demo.runs
    yield _LEGEND
    yield ""
    repeated = sum(tier.hits for tier in cold.tiers)
    yield (
        f"The cold run took {_seconds(cold.wall_s)} to read {_count(cold.lines, 'line')} and to "
        f"compute {_count(cold.computes, 'answer')}"
        + (f"; {repeated:,} more were about files with the same content." if repeated else ".")
    )
    for run in later:
        yield (
            f"The {_SUBJECTS[run.name]} took {_seconds(run.wall_s)} instead of {_seconds(cold.wall_s)}: "
            f"{_where_found(run)}"
        )
    yield from _remarks(demo)


def _where_found(run: Run) -> str:
    by_hits = sorted((tier for tier in run.tiers if tier.hits), key=lambda tier: -tier.hits)
    found = [f"{tier.hits:,} answers were {_PLACES[tier.name]}" for tier in by_hits[:1]]
    found += [f"{tier.hits:,} {_PLACES[tier.name]}" for tier in by_hits[1:]]
    found.append(f"{run.computes:,} were computed" if run.computes else "none was computed")
    return ", ".join(found) + "."


def _remarks(demo: Demo) -> Iterator[str]:
    faults = sum(tier.errors + tier.skips for run in demo.runs for tier in run.tiers)
    failed = demo.runs[0].failed
    if failed:
        named = [printable(name) for name in failed[:_NAMED]]
        if len(failed) > _NAMED:
            named.append(f"{len(failed) - _NAMED:,} more")
        yield (
            f"{_count(len(failed), 'file')} could not be read, parsed or measured in full, and the "
            f"answer says why: {', '.join(named)}."
        )
    if faults:
        yield f"{_count(faults, 'lookup')} found a tier that was too slow or away, and went on below it."
    if demo.no_redis:
        yield f"There was no third tier and no second machine: {demo.no_redis}."


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _seconds(value: float) -> str:
    if value >= 99.95:
        return f"{value:,.0f} s"
    if value >= 0.0995:
        return f"{value:.1f} s" if value >= 9.995 else f"{value:.2f} s"
    return f"{value * 1000:.1f} ms"


def _size(value: int) -> str:
    if value < 1000:
        return f"{value} B"
    if value < 1000 * 1024:
        return f"{value / 1024:.0f} KiB"
    mebi = value / 1024 / 1024
    return f"{mebi:,.0f} MiB" if mebi >= 99.95 else f"{mebi:.1f} MiB"


def _times(value: float) -> str:
    return f"{value:.0f}x" if value >= 9.95 else f"{value:.1f}x"


def _latency(value: float, microseconds: str) -> str:
    micro = value * 1e6
    if micro >= 999.5:
        return f"{micro / 1000:.1f} ms"
    if micro < 0.05:
        return f"<0.1 {microseconds}"
    return f"{micro:.0f} {microseconds}" if micro >= 9.95 else f"{micro:.1f} {microseconds}"
