"""Snapshots of the past, thinner the older they are: what windows are made of."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tiered_cache.stats.snapshot.cache_stats import CacheStats

__all__ = ["WINDOWS", "History", "Window", "thinned"]

WINDOWS = {"1m": 60.0, "15m": 900.0, "24h": 86_400.0}
"""The windows that a history is made for, in seconds. Any other span up to the longest goes too."""

_STEPS = ((60.0, 5.0), (900.0, 60.0), (86_400.0, 1800.0))
"""Up to which age, in seconds, one snapshot is kept for each so many seconds."""


class Window(NamedTuple):
    """What happened in a span of time that ends now.

    Attributes:
        stats: The difference of two snapshots.
        span_s: The seconds between them; `None` for all that was ever counted.
    """

    stats: CacheStats
    span_s: float | None


def thinned(instants: Iterable[float], now_s: float) -> list[float]:
    """Which of the instants of snapshots are to be kept, oldest first.

    The latest of each step, and one that is older than the longest window, for it to begin with.
    """
    kept: dict[tuple[float, float], float] = {}
    for at_s in sorted(instants):
        for age_s, step_s in _STEPS:
            if now_s - at_s <= age_s:
                kept[step_s, at_s // step_s] = at_s
                break
        else:
            kept[0.0, 0.0] = at_s
    return sorted(kept.values())


class History:
    """Keeps snapshots of one source, at most some eighty whatever happens, and makes windows.

    For one thread. Instants are those of one clock, which may be any that does not go back; a
    snapshot from before the latest one takes its place. Where counters went back, as when a server
    lost what was published on it, no window begins with a snapshot that counted more.
    """

    def __init__(self) -> None:
        self._instants: list[float] = []
        self._snapshots: dict[float, CacheStats] = {}

    def __len__(self) -> int:
        return len(self._instants)

    def add(self, at_s: float, stats: CacheStats) -> None:
        """Keep a snapshot that was taken at `at_s`."""
        lookups = stats.lookups
        if any(each.lookups > lookups for each in self._snapshots.values()):
            self._snapshots = {
                instant: each
                for instant, each in self._snapshots.items()
                if each.lookups <= lookups
            }
        self._snapshots[at_s] = stats
        self._instants = thinned(self._snapshots, max(self._snapshots))
        if len(self._snapshots) > len(self._instants):
            self._snapshots = {each: self._snapshots[each] for each in self._instants}

    def since(self, seconds: float, now_s: float, stats: CacheStats) -> Window:
        """What happened in the last `seconds`, up to the snapshot `stats` of now.

        It begins with the latest snapshot that is at least so old: `span_s` says when that was.
        Where there is none, it is all that was counted.
        """
        at = bisect.bisect_right(self._instants, now_s - seconds)
        if not at:
            return Window(stats, None)
        began_s = self._instants[at - 1]
        before = self._snapshots[began_s]
        if before.lookups > stats.lookups:
            return Window(stats, None)
        return Window(stats - before, now_s - began_s)
