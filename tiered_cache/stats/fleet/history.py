"""Past snapshots of one source, thinned with age, and the time windows made from them."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tiered_cache.stats.snapshot.cache_stats import CacheStats

__all__ = ["WINDOWS", "History", "Window", "thinned"]

WINDOWS = {"1m": 60.0, "15m": 900.0, "24h": 86_400.0}
"""The usual windows, in seconds. A history serves any other span up to the longest as well."""

_STEPS = ((60.0, 5.0), (900.0, 60.0), (86_400.0, 1800.0))
"""Pairs of an age and a step, in seconds: up to the age, one snapshot a step is kept."""


class Window(NamedTuple):
    """The numbers of a span of time that ends now.

    Attributes:
        stats: The difference of two snapshots.
        span_s: The seconds between them; `None` for everything since the beginning.
    """

    stats: CacheStats
    span_s: float | None


def thinned(instants: Iterable[float], now_s: float) -> list[float]:
    """The instants of the snapshots to keep, oldest first.

    These are the latest of each step, and one older than the longest window, which begins it.
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
    """Keeps at most some eighty snapshots of one source, and makes windows from them.

    For one thread. All instants must come from one clock that does not go back. If counters went
    back, because a server lost its data, earlier snapshots with higher counts are dropped.
    """

    def __init__(self) -> None:
        self._instants: list[float] = []
        self._snapshots: dict[float, CacheStats] = {}

    def __len__(self) -> int:
        return len(self._instants)

    def add(self, at_s: float, stats: CacheStats) -> None:
        """Keep a snapshot taken at `at_s`."""
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
        """The window of the last `seconds`, up to the present snapshot `stats`.

        It begins with the latest snapshot that is at least that old, so `span_s` may be longer. If
        no snapshot is that old, the window covers everything.
        """
        at = bisect.bisect_right(self._instants, now_s - seconds)
        if not at:
            return Window(stats, None)
        began_s = self._instants[at - 1]
        before = self._snapshots[began_s]
        if before.lookups > stats.lookups:
            return Window(stats, None)
        return Window(stats - before, now_s - began_s)
