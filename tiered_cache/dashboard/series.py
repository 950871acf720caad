"""The statistics over time, for the charts: a bounded number of points for any uptime."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from tiered_cache.dashboard.fleet_snapshot import ALL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache.stats.snapshot.cache_stats import CacheStats
    from tiered_cache.stats.snapshot.tier_stats import TierStats

__all__ = ["MAX_POINTS", "Series"]

MAX_POINTS = 150
"""Most points of a chart."""

_ENOUGH_POINTS = 8

_STEPS = {"1m": (60.0, 1.0), "15m": (900.0, 10.0), "24h": (86_400.0, 600.0)}
"""By window: the seconds that its chart covers, and the seconds between two points."""


class _TierPoint(NamedTuple):
    hit_rate: float | None = None
    latency_s: float | None = None


_EMPTY = _TierPoint()


class _Point(NamedTuple):
    at_s: float
    hit_rate: float | None
    tiers: dict[str, _TierPoint]


class _Resolution:
    """The points of one resolution; each is the difference of two consecutive snapshots."""

    def __init__(self, reach_s: float, step_s: float) -> None:
        self._reach_s = reach_s
        self._step_s = step_s
        self._points: deque[_Point] = deque(maxlen=MAX_POINTS)
        self._base: tuple[float, CacheStats] | None = None
        self._latest: tuple[float, CacheStats] | None = None

    def add(self, at_s: float, stats: CacheStats) -> None:
        if self._base is None or at_s <= self._base[0] or stats.lookups < self._base[1].lookups:
            # The first snapshot, or the clock or the counters went back.
            self._base, self._latest = (at_s, stats), None
            return
        self._latest = (at_s, stats)
        if at_s - self._base[0] >= self._step_s:
            self._points.append(_point(self._base, self._latest))
            self._base, self._latest = self._latest, None
        while self._points and self._points[0].at_s < at_s - self._reach_s:
            self._points.popleft()

    def points(self) -> list[_Point]:
        """The finished points, and the one that still grows."""
        if self._base is None or self._latest is None:
            return [*self._points]
        return [*self._points, _point(self._base, self._latest)]


class Series:
    """The points of the charts, for each window. Bounded memory. For one thread at a time."""

    def __init__(self) -> None:
        self._resolutions = {name: _Resolution(*steps) for name, steps in _STEPS.items()}

    def add(self, at_s: float, stats: CacheStats) -> None:
        """Add the totals at `at_s`.

        Args:
            at_s: Wall clock, later than at the previous call.
            stats: The totals of all processes.
        """
        for each in self._resolutions.values():
            each.add(at_s, stats)

    def to_dict(self, window: str, tiers: list[str]) -> dict[str, Any]:
        """Hit rates and read latencies by column, oldest first.

        A latency is the 95th percentile if the statistics policy keeps histograms, else the mean.
        """
        points = self._points(window)
        return {
            "at": [round(each.at_s, 3) for each in points],
            "hit_rate": [each.hit_rate for each in points],
            "tiers": [_column(name, points) for name in tiers],
        }

    def _points(self, window: str) -> list[_Point]:
        """The points of the window. While those are few, points of a finer resolution."""
        names = [*self._resolutions]
        found: list[_Point] = []
        for name in reversed(names[: names.index("24h" if window == ALL else window) + 1]):
            finer = self._resolutions[name].points()
            found = finer if len(finer) > len(found) else found
            if len(found) >= _ENOUGH_POINTS:
                break
        return found


def _column(name: str, points: Sequence[_Point]) -> dict[str, Any]:
    found = [each.tiers.get(name, _EMPTY) for each in points]
    return {
        "name": name,
        "hit_rate": [each.hit_rate for each in found],
        "latency_s": [each.latency_s for each in found],
    }


def _point(before: tuple[float, CacheStats], after: tuple[float, CacheStats]) -> _Point:
    at_s, stats = after[0], after[1] - before[1]
    hit_rate = round(stats.hit_rate, 4) if stats.lookups else None
    return _Point(at_s, hit_rate, {tier.name: _tier_point(tier) for tier in stats.tiers})


def _tier_point(tier: TierStats) -> _TierPoint:
    hit_rate = round(tier.hit_rate, 4) if tier.lookups else None
    if tier.read_latency is not None:
        return _TierPoint(hit_rate, tier.read_latency.quantile(0.95))
    return _TierPoint(hit_rate, tier.mean_read_s or None)
