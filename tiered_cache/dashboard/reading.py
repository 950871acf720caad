"""What the dashboard is made of: the numbers of all processes at one moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tiered_cache.stats.snapshot.cache_stats import CacheStats

__all__ = ["ALL", "WINDOWS", "ProcessRow", "Reading", "Span"]

ALL = "all"
WINDOWS = ("1m", "15m", "24h", ALL)
"""The windows of time that the page offers; the last is since anything was counted."""


class Span(NamedTuple):
    """What happened in a window of time.

    Attributes:
        stats: All processes together.
        span_s: How long it was; `None` for all that was ever counted.
    """

    stats: CacheStats
    span_s: float | None


class ProcessRow(NamedTuple):
    """One running process.

    Attributes:
        host: The name of its host.
        pid: Its process id there.
        program: What it runs.
        started_s: When it opened the cache, wall clock.
        at_s: When it was heard of last, wall clock.
        stats: What it did since it started.
    """

    host: str
    pid: int
    program: str
    started_s: float
    at_s: float
    stats: CacheStats


class Reading(NamedTuple):
    """The numbers at one moment.

    Attributes:
        at_s: The moment, wall clock.
        spans: Each of `WINDOWS`.
        processes: The running ones.
        gone: How many are not running any more, of those whose totals are counted.
        reach: Of which processes they are: of a `"cluster"`, a `"host"` or this `"process"`.
        past: What had been counted before, at earlier moments; where the reach is a new one.
        trouble: What could not be read, in plain words.
    """

    at_s: float
    spans: Mapping[str, Span]
    processes: Sequence[ProcessRow]
    gone: int = 0
    reach: str = "process"
    past: Sequence[tuple[float, CacheStats]] = ()
    trouble: Sequence[str] = ()
