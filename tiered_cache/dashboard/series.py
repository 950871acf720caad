"""The numbers over time, for the charts: few points, however long it goes on."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from tiered_cache.dashboard.reading import ALL

if TYPE_CHECKING:
    from tiered_cache.stats.snapshot.cache_stats import CacheStats

__all__ = ["MAX_POINTS", "Series"]

MAX_POINTS = 150
"""Points of a chart."""

_ENOUGH = 8

_STEPS = {"1m": (60.0, 1.0), "15m": (900.0, 10.0), "24h": (86_400.0, 600.0)}
"""How far back each chart goes and how far its points are apart, in seconds."""


class _Point(NamedTuple):
    at_s: float
    hit_rate: float | None
    tiers: dict[str, tuple[float | None, float | None]]


class _Ring:
    """Points of one resolution: each is the difference to the snapshot of the one before."""

    def __init__(self, reach_s: float, step_s: float) -> None:
        self._reach_s = reach_s
        self._step_s = step_s
        self._points: deque[_Point] = deque(maxlen=MAX_POINTS)
        self._base: tuple[float, CacheStats] | None = None
        self._latest: tuple[float, CacheStats] | None = None

    def add(self, at_s: float, stats: CacheStats) -> None:
        if self._base is None or at_s <= self._base[0] or stats.lookups < self._base[1].lookups:
            self._base, self._latest = (at_s, stats), None  # the first, or something went back
            return
        self._latest = (at_s, stats)
        if at_s - self._base[0] >= self._step_s:
            self._points.append(_point(self._base, self._latest))
            self._base, self._latest = self._latest, None
        while self._points and self._points[0].at_s < at_s - self._reach_s:
            self._points.popleft()

    def points(self) -> list[_Point]:
        """The finished ones and the one that is still growing."""
        if self._base is None or self._latest is None:
            return [*self._points]
        return [*self._points, _point(self._base, self._latest)]


class Series:
    """What the charts show, of each window. Memory is bounded. For one thread at a time."""

    def __init__(self) -> None:
        self._rings = {name: _Ring(*steps) for name, steps in _STEPS.items()}

    def add(self, at_s: float, stats: CacheStats) -> None:
        """Note the counters as they were at `at_s`, which is later than all before.

        Args:
            at_s: Wall clock.
            stats: Of all processes, since anything was counted.
        """
        for ring in self._rings.values():
            ring.add(at_s, stats)

    def to_dict(self, window: str, tiers: list[str]) -> dict[str, Any]:
        """Hit rates and times of reads, column by column.

        Times are 95th percentiles where the statistics policy keeps histograms, means elsewhere.
        """
        points = self._points(window)
        nothing = (None, None)
        return {
            "at": [round(each.at_s, 3) for each in points],
            "hit_rate": [each.hit_rate for each in points],
            "tiers": [
                {
                    "name": name,
                    "hit_rate": [each.tiers.get(name, nothing)[0] for each in points],
                    "latency_s": [each.tiers.get(name, nothing)[1] for each in points],
                }
                for name in tiers
            ],
        }

    def _points(self, window: str) -> list[_Point]:
        """Those of the window, or while they are few, finer ones of less time."""
        names = [*self._rings]
        found: list[_Point] = []
        for name in reversed(names[: names.index("24h" if window == ALL else window) + 1]):
            finer = self._rings[name].points()
            found = finer if len(finer) > len(found) else found
            if len(found) >= _ENOUGH:
                break
        return found


def _point(before: tuple[float, CacheStats], after: tuple[float, CacheStats]) -> _Point:
    at_s, stats = after[0], after[1] - before[1]
    return _Point(
        at_s,
        round(stats.hit_rate, 4) if stats.lookups else None,
        {
            tier.name: (
                round(tier.hit_rate, 4) if tier.lookups else None,
                tier.read_latency.quantile(0.95)
                if tier.read_latency is not None
                else tier.mean_read_s or None,
            )
            for tier in stats.tiers
        },
    )
