"""Times subjects for ratios: by turns, in one process; the figure is the median."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Measured", "measure", "per_call"]

_ROUNDS = 15


class Measured(NamedTuple):
    """Seconds of one call of one subject: median, minimum and maximum over the rounds."""

    median: float
    least: float
    most: float


def per_call(
    statement: str, names: Mapping[str, Any], keys: Sequence[Any], loops: int = 1
) -> Callable[[], float]:
    """A round: runs `statement` for each `k` of `keys`, `loops` times; returns seconds per run.

    The statement is compiled into the loop: a call of a lambda would cost as much as the subject.
    """
    source = f"def run():\n for _ in range({loops}):\n  for k in keys:\n   {statement}\n"
    space: dict[str, Any] = {**names, "keys": keys}
    exec(compile(source, "<bench>", "exec"), space)  # the statement is ours
    run = space["run"]

    def once() -> float:
        started = time.perf_counter()
        run()
        return (time.perf_counter() - started) / (loops * len(keys))

    return once


def measure(
    subjects: Mapping[str, Callable[[], float]],
    *,
    before: Callable[[], None] = lambda: None,
    rounds: int = _ROUNDS,
) -> dict[str, Measured]:
    """The seconds of each subject. A round runs all of them by turns; the first one warms up."""
    times: dict[str, list[float]] = {name: [] for name in subjects}
    for number in range(rounds + 1):
        for name, subject in subjects.items():
            before()
            taken = subject()
            if number:
                times[name].append(taken)
    return {
        name: Measured(statistics.median(each), min(each), max(each))
        for name, each in times.items()
    }
