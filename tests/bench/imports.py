"""The cost of an import and of the command line's help, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

from tests.bench.report import print_ratios
from tests.bench.timing import measure

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["bench_imports"]


def _process(*arguments: str) -> Callable[[], float]:
    def once() -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - started

    return once


def _importing(module: str) -> Callable[[], float]:
    program = (
        "import time; started = time.perf_counter(); "
        f"import {module}; print(time.perf_counter() - started)"
    )

    def once() -> float:
        done = subprocess.run(
            [sys.executable, "-c", program], check=True, capture_output=True, text=True
        )
        return float(done.stdout)

    return once


def bench_imports() -> list[str]:
    """Imports, and the time of a whole `tiered-cache --help`."""
    missed = print_ratios(
        "Import",
        measure({name: _importing(name) for name in ("cachetools", "tiered_cache", "redis")}),
        "cachetools",
        {"tiered_cache": 2.0},
    )
    processes = measure(
        {
            "python -c pass": _process("-c", "pass"),
            "tiered-cache --help": _process("-m", "tiered_cache", "--help"),
        }
    )
    missed += print_ratios("Command line", processes, "python -c pass", {})
    taken_s = processes["tiered-cache --help"].median
    if taken_s > 0.2:
        missed.append(f"tiered-cache --help took {taken_s:.3f} s, promised: 0.2 s")
    return missed
