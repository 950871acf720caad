"""The core of a cache, shared by its faces and views: a stack with its driver and workers."""

from __future__ import annotations

import contextlib
import weakref
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from tiered_cache._engine.drivers.background import Background
from tiered_cache._engine.drivers.sync import SyncDriver
from tiered_cache._engine.drivers.tiers import TierDriver
from tiered_cache._engine.plans.refresh import refresh
from tiered_cache._engine.stack import Stack, StackOptions
from tiered_cache._engine.state.key_locks import changing
from tiered_cache._engine.workers.change_follower import ChangeFollower
from tiered_cache._engine.workers.flusher import Flusher
from tiered_cache._engine.workers.lease_renewer import LeaseRenewer
from tiered_cache._engine.workers.refresher import Refresher, reporting
from tiered_cache._engine.workers.sweeper import Sweeper
from tiered_cache._face.arguments import event_kinds
from tiered_cache._face.cache_journal import CacheJournal
from tiered_cache._face.core_stats import CoreStats
from tiered_cache._face.debug_log import is_debugged, log_lookup
from tiered_cache._face.live_hits import NO_NODES, LiveHits
from tiered_cache._face.spans import begin_span
from tiered_cache._process.fork import fork_safe_lock
from tiered_cache.contracts import WrappedTier
from tiered_cache.errors import CacheClosedError, ConfigurationError
from tiered_cache.events import EventKind
from tiered_cache.stats.counting.cache_counters import CacheCounters, TierCounters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from tiered_cache._engine.effects import Plan, Refresh
    from tiered_cache._engine.state.key_locks import Stripe
    from tiered_cache._face.live_hits import HitReader
    from tiered_cache.contracts import Tell, Tier, Tracer
    from tiered_cache.events import Event
    from tiered_cache_policies.contracts import Node, StatisticsPolicy

__all__ = ["Core", "EventLoopSide"]

_taken: weakref.WeakSet[Tier[Any]] = weakref.WeakSet()

T = TypeVar("T")


class EventLoopSide(Protocol):
    """The part of a core that event loops use. It stands above the core."""

    def close_soon(self) -> None:
        """Have each loop release its resources; from any thread."""
        ...


class Core:
    """An open stack with its driver, workers and counters. Thread-safe."""

    def __init__(
        self, tiers: Sequence[Tier[Any]], options: StackOptions, statistics: StatisticsPolicy
    ) -> None:
        _take(tiers)
        self._lock = fork_safe_lock()
        self._closed = False
        self._journal = CacheJournal(tiers, options.namespace)
        self.tracer: Tracer | None = None
        self.at_close: list[Callable[[], object]] = []
        """Called when the cache is closed, before anything else; they must not raise."""
        self._readers: weakref.WeakSet[HitReader] = weakref.WeakSet()
        self._side: EventLoopSide | None = None
        self.monotonic = options.clock.monotonic
        tier_counters = [TierCounters(tier.name, statistics) for tier in tiers]
        counters = CacheCounters(statistics, len(tiers), self.monotonic)
        self.stack = Stack(
            tiers,
            options,
            tier_counters,
            counters=counters,
            journal=self._journal.get,
            rest_s=counters.rest_s,
        )
        self._sweeper = Sweeper(self.stack)
        tier_driver = TierDriver(self.stack)
        self._follower = ChangeFollower(self.stack, tier_driver.run)
        try:
            self.stack.open()
            self._follower.start()
        except BaseException:
            self.stack.close_tiers()
            _give_back(tiers)
            raise
        self.flusher = Flusher(self.stack, tier_driver.run)
        self.refresher = Refresher(self._recompute)
        self.background = Background(
            catch_up=self._follower.catch_up,
            renew_leases=LeaseRenewer(self.stack.leases).start,
            wake_flusher=self.flusher.wake,
            refresh=self.refresher.submit,
        )
        self._run = SyncDriver(self.stack, self.background).run
        self.hits = LiveHits(self.stack.levels[0].live, counters.groups, self.monotonic)
        self.statistics = CoreStats(
            self.stack,
            counters,
            tier_counters,
            self.hits,
            journal_bytes=self._journal.size_bytes,
            publishes=bool(statistics.one_in),
        )
        self._publisher = self.statistics.publisher
        if is_debugged():
            self.stack.listeners.add(log_lookup)
        if self.stack.queues_writes and self._journal.exists():
            self.flusher.adopt()
        self._sweeper.start()

    def _recompute(self, wanted: Refresh, keys: Sequence[str]) -> None:
        with reporting(self.stack, keys[0]):
            self.run(refresh(self.stack, wanted, keys))

    @property
    def live(self) -> Mapping[str, Node]:
        """The nodes for inlined hits; empty while a listener or a tracer gets each hit."""
        hits_are_told = EventKind.HIT in self.stack.listeners.wanted
        if self._closed or hits_are_told or self.tracer is not None:
            return NO_NODES
        return self.stack.levels[0].live

    def join(self, reader: HitReader) -> None:
        """Keep the live nodes of `reader` current from now on."""
        with self._lock:
            self._readers.add(reader)
        reader._rebind(self)  # noqa: SLF001 - a hook on public classes

    def _rebind_readers(self) -> None:
        with self._lock:
            readers = list(self._readers)
        for reader in readers:
            reader._rebind(self)  # noqa: SLF001 - a hook on public classes

    def listen(
        self, listener: Callable[[Event], None], kinds: Iterable[str] | None
    ) -> Callable[[], None]:
        """Add a listener to some kinds of events, or to all; the function returned removes it."""
        if not callable(listener):
            msg = f"listener={listener!r} must be a function that takes an event"
            raise ConfigurationError(msg)
        end = self.stack.listeners.add(listener, event_kinds(kinds))
        self._rebind_readers()

        def remove() -> None:
            end()
            self._rebind_readers()

        return remove

    def trace(self, tracer: Tracer) -> Callable[[], None]:
        """Have `tracer` begin a span for each `get_or_compute`; the function returned ends that."""
        if self.tracer is not None:
            msg = "the cache has a tracer already: end that one first"
            raise ConfigurationError(msg)
        self.tracer = tracer
        self._rebind_readers()

        def end() -> None:
            self.tracer = None
            self._rebind_readers()

        return end

    def span(self, key: str) -> AbstractContextManager[Tell | None]:
        """A span for a lookup of `key`, if there is a tracer."""
        if self.tracer is None:
            return contextlib.nullcontext()
        return begin_span(self.tracer, key, self._tracer_failed)

    def _tracer_failed(self, error: Exception) -> None:
        self.stack.faults.report(
            "tracer", type(error).__name__, f"The tracer failed to begin a span: {error!r}"
        )

    def keep_side(self, side: EventLoopSide) -> EventLoopSide:
        """Keep the side for event loops; the side that is kept, of several made at once."""
        with self._lock:
            self._side = self._side or side
            return self._side

    @property
    def side(self) -> EventLoopSide | None:
        """The side for event loops; `None` before its first use."""
        return self._side

    def admit(self, plan: Plan[Any] | None = None) -> None:
        """Start publishing statistics; raise, and end `plan`, if the cache is closed."""
        if not self._publisher.running:
            self._publisher.start()
        if self._closed:
            if plan is not None:
                plan.close()
            self.check_open()

    def check_open(self) -> None:
        """Raise `CacheClosedError` if the cache is closed."""
        if self._closed:
            msg = "the cache is closed: make a new one, or don't close it while it is in use"
            raise CacheClosedError(msg)

    def run(self, plan: Plan[T]) -> T:
        """Run a plan and give its events to the listeners."""
        if self._closed or not self._publisher.running:
            self.admit(plan)
        try:
            return self._run(plan)
        finally:
            if self.stack.events.waiting:
                self.stack.events.emit()

    def change(self, keys: Sequence[str], plan: Plan[T]) -> T:
        """Run a plan that changes `keys`, with their locks held."""
        held: list[Stripe] = []
        before = changing.get()
        try:
            self.stack.locks.begin_change(keys, held)
            if self._closed or not self._publisher.running:
                self.admit(plan)
            return self._run(plan)
        finally:
            try:
                self.stack.flights.detach(keys)
            finally:
                # In place: an interruption comes where a function begins.
                changing.set(before)
                for stripe in held:
                    stripe.lock.release()
            for stripe in held:
                if stripe.tasks:
                    stripe.call_next()
            if self.stack.events.waiting:
                self.stack.events.emit()

    def flush(self, timeout_s: float) -> list[str]:
        """Flush the write-back queue; the keys that were not in time."""
        left = self.flusher.finish(timeout_s)
        self.stack.events.emit()
        return left

    def close(self) -> None:
        """Close the tiers. Later operations raise."""
        if not self._closed:
            self._closed = True
            try:
                for stop in self.at_close:
                    stop()
            finally:
                self._close()

    def _close(self) -> None:
        self._rebind_readers()
        if self._side is not None:
            self._side.close_soon()
        self._publisher.close()
        self.refresher.close()
        self._sweeper.close()
        self.stack.leases.close()
        self.flusher.close()
        self._follower.close()
        self.stack.close_tiers()
        self.stack.faults.close()
        self._journal.close()
        _give_back([level.tier for level in self.stack.levels])


def _take(tiers: Sequence[Tier[Any]]) -> None:
    """Make sure that no tier serves two caches, whose keys it could not tell apart."""
    innermost = [_innermost(tier) for tier in tiers]
    for tier in innermost:
        if tier in _taken:
            msg = f"the tier {tier.name!r} belongs to another cache already: make one for each"
            raise ConfigurationError(msg)
    _taken.update(innermost)


def _innermost(tier: Tier[Any]) -> Tier[Any]:
    while isinstance(tier, WrappedTier):
        tier = tier.inner
    return tier


def _give_back(tiers: Sequence[Tier[Any]]) -> None:
    for tier in tiers:
        _taken.discard(_innermost(tier))
