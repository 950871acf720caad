"""The statistics of a core: its own, and those of all processes that share a tier."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tiered_cache._engine.effects import OK
from tiered_cache._engine.state.breaker import BreakerState
from tiered_cache.contracts import Reach
from tiered_cache.errors import TierUnavailableError
from tiered_cache.stats.curves.curves import size_in_entries
from tiered_cache.stats.fleet.fleet_stats import FleetStats, fleet_of
from tiered_cache.stats.fleet.moments import past_of
from tiered_cache.stats.fleet.outlet import Answer, Outlet
from tiered_cache.stats.fleet.publisher import Publisher
from tiered_cache.stats.snapshot.cache_stats import BreakerChange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tiered_cache._engine.level import Level
    from tiered_cache._engine.stack import Stack
    from tiered_cache._face.live_hits import LiveHits
    from tiered_cache.stats.counting.cache_counters import CacheCounters, TierCounters
    from tiered_cache.stats.fleet.reports import Totals
    from tiered_cache.stats.snapshot.cache_stats import CacheStats, TierStats

__all__ = ["CoreStats"]


class CoreStats:
    """Reads the counters of a core, and publishes them on the boards of its tiers. Thread-safe.

    Args:
        stack: The stack.
        counters: The counters of the cache.
        tier_counters: The counters of each tier.
        hits: The inlined hits.
        journal_bytes: Gives the size of this process' journal, 0 without one.
        publishes: Whether anything is counted that others may read.
    """

    def __init__(
        self,
        stack: Stack,
        counters: CacheCounters,
        tier_counters: Sequence[TierCounters],
        hits: LiveHits,
        *,
        journal_bytes: Callable[[], int],
        publishes: bool,
    ) -> None:
        self._stack = stack
        self._counters = counters
        self._tier_counters = tier_counters
        self._hits = hits
        self._journal_bytes = journal_bytes
        self.publisher = Publisher(
            [*_outlets(stack)] if publishes else [],
            lambda: self.stats(asking=False),
            self.counted,
            lambda: stack.origin,
            stack.clock,
        )

    def stats(self, *, asking: bool = True) -> CacheStats:
        """All counters and gauges. Asks each healthy tier for its size.

        Args:
            asking: Whether to probe tiers whose breaker is open.
        """
        stack = self._stack
        counted = self.counted()
        tiers = [
            self._with_gauges(level, tier, asking=asking)
            for level, tier in zip(stack.levels, counted.tiers, strict=True)
        ]
        queue = stack.queue.figures()
        return replace(
            counted,
            tiers=tuple(tiers),
            queue_depth=queue["depth"],
            queue_age_s=queue["age_s"],
            queue_parked=queue["parked"],
            journal_bytes=self._journal_bytes(),
            staleness_bound_s=stack.logs.staleness_bound_s,
            bus_lag_s=max(_behind_s(tiers), default=None),
        )

    def counted(self) -> CacheStats:
        """All counters, without asking any tier."""
        live = self._hits.now()
        tiers = []
        for level, counters in zip(self._stack.levels, self._tier_counters, strict=True):
            saved_s = 0.0 if level.offers.live is None else level.offers.live.seconds_saved()
            hits, seconds = (live.hits, live.seconds) if level.index == 0 else (0, 0.0)
            tiers.append(counters.snapshot(live_hits=hits, live_s=seconds, live_saved_s=saved_s))
        return self._counters.snapshot(tuple(tiers), live_hits=live.hits, live_hit_s=live.hit_s)

    def _with_gauges(self, level: Level, stats: TierStats, *, asking: bool) -> TierStats:
        if asking:
            level.probe()
        info = level.info()
        fields = info._asdict()
        if level.fault:
            fields["detail"] = level.fault
        size = size_in_entries(info)
        # The curve of a tier whose hits are inlined says nothing more while the tier is not full.
        if size is not None and stats.counted and (stats.evictions or not level.is_live):
            fields["curve"] = self._counters.curves.curve(level.index, size, stats.lookups)
            fields["curve_lookups"] = stats.lookups
        return stats.standing(
            breaker=level.breaker.state.value,
            breaker_changes=tuple(BreakerChange(*each) for each in level.breaker_changes),
            reach=level.reach.name.lower(),
            lag=self._stack.logs.lag(level.index),
            **fields,
        )

    def fleet(self, since_s: float | None, within: str | None) -> FleetStats:
        """The statistics of all processes that share a tier: the most widely shared that answers.

        Args:
            since_s: How far back, in seconds; `None` for everything.
            within: The widest reach: `"cluster"`, `"host"` or `"process"`.
        """
        now_s = self._stack.clock.wall()
        for outlet in reversed(self.publisher.outlets):
            if within in (None, "cluster", outlet.reach):
                own = self.publisher.own(outlet)
                answer = outlet.guarded(fleet_of, outlet.board, own, now_s, outlet.reach, since_s)
                if answer.done:
                    found: FleetStats = answer.value
                    return found
        return FleetStats(self.stats(), None, (), 0, 0, "process", now_s)

    def fleet_past(self, reach: str) -> list[Totals]:
        """The totals, moment by moment, of all processes that share the tier of this reach."""
        for outlet in self.publisher.outlets:
            if outlet.reach == reach:
                answer = outlet.guarded(past_of, outlet.board)
                if answer.done:
                    found: list[Totals] = answer.value
                    return found
        return []


def _outlets(stack: Stack) -> Iterator[Outlet]:
    for level in stack.levels:
        board = level.offers.board
        if board is not None and level.reach > Reach.PROCESS:
            guarded = functools.partial(_guarded, level)
            yield Outlet(board, level.reach.name.lower(), guarded)


def _guarded(level: Level, function: Callable[..., Any], *args: Any, **options: Any) -> Answer:
    """The answer to a call that uses a level's board. It is never the probe of a sick tier."""
    if level.breaker.state is not BreakerState.CLOSED:
        return Answer(asked=False, done=False)
    try:
        reply = level.call("statistics", None, functools.partial(function, *args, **options))
    except TierUnavailableError:  # raised in a strict stack
        return Answer(asked=True, done=False)
    return Answer(asked=True, done=reply.status == OK, value=reply.value)


def _behind_s(tiers: Sequence[TierStats]) -> list[float]:
    """Seconds since the logs of tiers were read to their ends, for logs that ever were."""
    lags = [tier.lag for tier in tiers if tier.lag is not None]
    return [lag.behind_s for lag in lags if lag.behind_s is not None]
