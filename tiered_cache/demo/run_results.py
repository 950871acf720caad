"""The results of runs, with the statistics of each tier, and their comparison."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, NamedTuple

from tiered_cache import TierStats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache.demo.analyzer import ShareResult
    from tiered_cache.demo.source_tree import SourceTree

__all__ = ["DemoResult", "RunResult", "first_difference", "merged_run"]


class RunResult(NamedTuple):
    """The result of one run over all files.

    Attributes:
        name: `cold`, `warm`, `restart` or `machine 2`.
        wall_s: Seconds to the last answer, from the start of the first process, or in the warm run
            from the command to run.
        lookups: Lookups in the cache, one for each answer.
        computes: Answers that were computed.
        compute_s: Seconds of computing, summed over all processes.
        tiers: The statistics of each tier, over all processes.
        digests: For each file, a digest of the answers about it.
        lines: Lines in all files.
        failed: Files with an answer that is only the reason of a failure.
    """

    name: str
    wall_s: float
    lookups: int
    computes: int
    compute_s: float
    tiers: list[TierStats]
    digests: dict[str, str]
    lines: int
    failed: list[str]


class DemoResult(NamedTuple):
    """The results of all runs.

    Attributes:
        tree: The files that were analysed.
        jobs: Processes in each run.
        runs: The runs, in order.
        no_redis: The reason why there was no Redis tier; `""` if there was one.
    """

    tree: SourceTree
    jobs: int
    runs: list[RunResult]
    no_redis: str


def first_difference(runs: Sequence[RunResult]) -> tuple[str, str] | None:
    """The first file and run with other answers than in the first run; `None` if all agree."""
    cold = runs[0].digests
    for run in runs[1:]:
        for name in sorted(cold.keys() | run.digests.keys()):
            if cold.get(name) != run.digests.get(name):
                return name, run.name
    return None


def merged_run(name: str, wall_s: float, results: Sequence[ShareResult]) -> RunResult:
    """The result of a run from those of its processes."""
    stats = [result["stats"] for result in results]
    return RunResult(
        name=name,
        wall_s=wall_s,
        lookups=sum(each["lookups"] for each in stats),
        computes=sum(each["computes"] for each in stats),
        compute_s=sum(each["compute_seconds"] for each in stats),
        tiers=[_merge_tiers(same) for same in zip(*(each["tiers"] for each in stats), strict=True)],
        digests={file: digest for each in results for file, digest in each["digests"].items()},
        lines=sum(each["lines"] for each in results),
        failed=sorted(name for each in results for name in each["failed"]),
    )


def _merge_tiers(same: Sequence[dict[str, Any]]) -> TierStats:
    """The statistics of one tier, added up over processes."""
    first = same[0]
    merged = {field.name: first[field.name] for field in dataclasses.fields(TierStats)}
    for name, value in merged.items():
        if isinstance(value, int | float):
            merged[name] = sum(each[name] for each in same)
    if first["name"] != "memory":
        # The processes share one store, so its fill is not a sum. The last process saw the most.
        for level in ("entries", "bytes", "max_entries", "max_bytes"):
            merged[level] = max(
                (each[level] for each in same if each[level] is not None), default=None
            )
    return TierStats(**merged)
