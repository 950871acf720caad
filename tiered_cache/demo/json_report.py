"""The demo's results as plain data, for `--json`."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any

import xxhash

from tiered_cache._terminal.messages import printable
from tiered_cache.demo.analyses import ANALYSES

if TYPE_CHECKING:
    from tiered_cache.demo.run_results import DemoResult, RunResult

__all__ = ["json_report"]


def json_report(result: DemoResult, difference: tuple[str, str] | None) -> dict[str, Any]:
    """The document: the tree, the statistics of every tier in every run, and the verdict."""
    cold = result.runs[0]
    return {
        "python": platform.python_version(),
        "tree": {
            "name": result.tree.name,
            "root": printable(result.tree.root),
            "left_out": result.tree.note,
            "files": len(result.tree.files),
            "bytes": sum(size for _, size in result.tree.files),
            "lines": cold.lines,
            "not_fully_answered": [printable(name) for name in cold.failed],
        },
        "analyses": [analysis.name for analysis in ANALYSES],
        "jobs": result.jobs,
        "no_redis": result.no_redis or None,
        "runs": [_run(run, cold) for run in result.runs],
        "identical": difference is None,
        "first_difference": difference and {"file": printable(difference[0]), "run": difference[1]},
    }


def _run(run: RunResult, cold: RunResult) -> dict[str, Any]:
    return {
        "name": run.name,
        "wall_s": run.wall_s,
        "speed_up": cold.wall_s / run.wall_s,
        "lookups": run.lookups,
        "computes": run.computes,
        "compute_s": run.compute_s,
        "digest": _digest(run.digests),
        "tiers": [tier.to_dict() for tier in run.tiers],
    }


def _digest(digests: dict[str, str]) -> str:
    """One digest over the answers about all files."""
    total = xxhash.xxh3_128()
    for name in sorted(digests):
        total.update(f"{printable(name)}\0{digests[name]}\n".encode())
    return total.hexdigest()
