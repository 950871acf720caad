"""The statistics of all processes at one moment: the data behind the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tiered_cache.stats.fleet.history import WINDOWS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tiered_cache.stats.fleet.history import Window
    from tiered_cache.stats.snapshot.cache_stats import CacheStats

__all__ = ["ALL", "WINDOW_NAMES", "FleetSnapshot", "ProcessRow"]

ALL = "all"
"""The window of everything counted so far."""

WINDOW_NAMES = (*WINDOWS, ALL)
"""The time windows that the page offers, shortest first."""


class ProcessRow(NamedTuple):
    """One running process.

    Attributes:
        host: Its host name.
        pid: Its process id on that host.
        program: The program that it runs.
        started_s: When it opened the cache, wall clock.
        at_s: When it last published statistics, wall clock.
        stats: Its statistics since it started.
    """

    host: str
    pid: int
    program: str
    started_s: float
    at_s: float
    stats: CacheStats


class FleetSnapshot(NamedTuple):
    """The statistics of all processes at one moment.

    Attributes:
        at_s: The moment, wall clock.
        windows: The statistics of each window, by the names in `WINDOW_NAMES`.
        processes: The running processes.
        gone: The number of ended processes that the totals include.
        reach: The widest group of processes that was read: `"cluster"`, `"host"` or `"process"`.
        past: Earlier totals with their moments. Given once for each reach.
        trouble: One sentence for each source that could not be read.
    """

    at_s: float
    windows: Mapping[str, Window]
    processes: Sequence[ProcessRow]
    gone: int = 0
    reach: str = "process"
    past: Sequence[tuple[float, CacheStats]] = ()
    trouble: Sequence[str] = ()
