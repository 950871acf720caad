"""Prints measurements beside the promises of the project."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.bench.timing import Measured

__all__ = ["print_ratios"]


def print_ratios(
    title: str,
    measured: Mapping[str, Measured],
    base: str,
    promised: Mapping[str, float],
) -> list[str]:
    """Print each subject as a multiple of `base`; returns the subjects above their promise."""
    unit_s = measured[base].median
    print(f"\n{title}   (base: {base}, {_time(unit_s)}; median, least to most)")
    missed = []
    for name, each in measured.items():
        ratio = each.median / unit_s
        limit = promised.get(name)
        verdict = ""
        if limit is not None:
            verdict = f"  promised at most {limit:g}: {'held' if ratio <= limit else 'MISSED'}"
            if ratio > limit:
                missed.append(f"{title}: {name} {ratio:.2f} > {limit:g}")
        span = f"{_time(each.median)} ({_time(each.least)} to {_time(each.most)})"
        print(f"  {name:44} {ratio:9.2f}   {span:38}{verdict}".rstrip())
    return missed


def _time(seconds: float) -> str:
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"
