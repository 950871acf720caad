"""`make bench`: runs all benchmarks, or those named as arguments; fails if a promise is missed."""

from __future__ import annotations

import platform
import sys

from tests.bench.asynchronous import bench_async
from tests.bench.churn import bench_churn
from tests.bench.coherence import bench_coherence
from tests.bench.costs import bench_costs
from tests.bench.counting import bench_counting
from tests.bench.dashboard import bench_dashboard
from tests.bench.eviction import bench_eviction
from tests.bench.flights import bench_flights
from tests.bench.hits import bench_l1, bench_l2, bench_l3
from tests.bench.imports import bench_imports
from tests.bench.numbers import bench_numbers
from tests.bench.writes import bench_writes

BENCHMARKS = {
    "l1": bench_l1,
    "l2": bench_l2,
    "l3": bench_l3,
    "churn": bench_churn,
    "eviction": bench_eviction,
    "costs": bench_costs,
    "counting": bench_counting,
    "writes": bench_writes,
    "flights": bench_flights,
    "coherence": bench_coherence,
    "async": bench_async,
    "numbers": bench_numbers,
    "dashboard": bench_dashboard,
    "imports": bench_imports,
}


def main() -> int:
    """Run the benchmarks; 1 if a promised ratio is missed."""
    names = sys.argv[1:] or list(BENCHMARKS)
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        print(f"Unknown benchmark {', '.join(unknown)}. Known: {', '.join(BENCHMARKS)}.")
        return 2
    print(f"Python {platform.python_version()}, {platform.machine()}; ratios within this run")
    missed = [each for name in names for each in BENCHMARKS[name]()]
    for each in missed:
        print(f"\nMISSED  {each}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
