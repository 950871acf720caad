"""The demo's sentences and its table: the plan before the runs, the conclusion after them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from tiered_cache._terminal.figures import size, span
from tiered_cache._terminal.messages import printable
from tiered_cache.demo.analyses import ANALYSES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tiered_cache import TierStats
    from tiered_cache.demo.run_results import DemoResult, RunResult
    from tiered_cache.demo.source_tree import SourceTree

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
    "computing that hits replaced, summed over the processes, minus the time of the hits."
)
_NAMED = 3
_SUBJECTS = {"warm": "warm run", "restart": "restart", "machine 2": "second machine"}
_PLACES = {"memory": "in memory", "disk": "on disk", "redis": "in the Valkey server"}


def introduction(tree: SourceTree, jobs: int, *, redis: bool) -> Iterator[str]:
    """The plan: the files, the analyses and the runs."""
    total = sum(length for _, length in tree.files)
    yield f"Analysing {tree.name}: {_count(len(tree.files), 'Python file')}, {size(total)}."
    if tree.note:
        yield f"Left out: {tree.note}."
    names = [analysis.name for analysis in ANALYSES]
    yield f"Analyses of each file: {', '.join(names[:-1])} and {names[-1]}."
    yield ""
    yield from _plan(min(jobs, len(tree.files)), redis=redis)
    yield ""


def _plan(processes: int, *, redis: bool) -> Iterator[str]:
    same, new = (
        ("the same process", "a new process")
        if processes == 1
        else (f"the same {processes} processes", f"{processes} new processes")
    )
    yield f"  cold       {new}, nothing is cached yet"
    yield f"  warm       {same} again: the answers are in memory (L1)"
    yield f"  restart    {new}, on the same disk (L2)"
    if redis:
        yield f"  machine 2  {new}, on an empty disk, with the same Valkey server (L3)"


def runs_table(result: DemoResult, *, microseconds: str) -> Table:
    """One row for each tier in each run, at most 80 columns wide.

    Args:
        result: The runs.
        microseconds: The unit, as the terminal can show it.
    """
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 0), pad_edge=False, show_edge=False)
    table.add_column("Run", no_wrap=True, style="bold", vertical="bottom")
    for name in _COLUMNS:
        table.add_column(
            name, justify="left" if name == "Tier" else "right", no_wrap=True, vertical="bottom"
        )
    cold = result.runs[0]
    for run in result.runs:
        table.add_section()
        begin = (run.name, span(run.wall_s), _times(cold.wall_s / run.wall_s))
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
        span(tier.mean_read_s, microseconds=microseconds) if tier.mean_read_s else "-",
        size(tier.read_bytes + tier.written_bytes),
        span(tier.seconds_saved, microseconds=microseconds) if tier.hits else "-",
    )


def _times(value: float) -> str:
    return f"{value:.0f}x" if value >= 9.95 else f"{value:.1f}x"


def conclusion(result: DemoResult, *, microseconds: str) -> Iterator[str]:
    """The meaning of the table, then a sentence about each run.

    Args:
        result: The runs.
        microseconds: The unit, as the terminal can show it.
    """
    cold, *later = result.runs
    cold_time = span(cold.wall_s, microseconds=microseconds)
    yield _LEGEND
    yield ""
    repeated = sum(tier.hits for tier in cold.tiers)
    yield (
        f"The cold run took {cold_time} to read {_count(cold.lines, 'line')} and to compute "
        f"{_count(cold.computes, 'answer')}"
        + (f"; {repeated:,} more were about files with equal content." if repeated else ".")
    )
    for run in later:
        run_time = span(run.wall_s, microseconds=microseconds)
        yield f"The {_SUBJECTS[run.name]} took {run_time} instead of {cold_time}: {_where_found(run)}"
    yield from _remarks(result)


def _where_found(run: RunResult) -> str:
    by_hits = sorted((tier for tier in run.tiers if tier.hits), key=lambda tier: -tier.hits)
    found = [f"{tier.hits:,} answers were {_PLACES[tier.name]}" for tier in by_hits[:1]]
    found += [f"{tier.hits:,} {_PLACES[tier.name]}" for tier in by_hits[1:]]
    found.append(f"{run.computes:,} were computed" if run.computes else "none was computed")
    return ", ".join(found) + "."


def _remarks(result: DemoResult) -> Iterator[str]:
    faults = sum(tier.errors + tier.skips for run in result.runs for tier in run.tiers)
    failed = result.runs[0].failed
    if failed:
        named = [printable(name) for name in failed[:_NAMED]]
        if len(failed) > _NAMED:
            named.append(f"{len(failed) - _NAMED:,} more")
        yield (
            f"{_count(len(failed), 'file')} could not be read, parsed or measured in full, and the "
            f"answer says why: {', '.join(named)}."
        )
    if faults:
        yield f"{_count(faults, 'lookup')} met a tier that was slow or away, and went on below it."
    if result.no_redis:
        yield f"There was no third tier and no second machine: {result.no_redis}."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun if number == 1 else noun + 's'}"
