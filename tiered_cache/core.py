"""The inside of a cache, shared by its faces and views: a stack, its driver and its counters."""

from __future__ import annotations

import itertools
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from tiered_cache._engine.driver import SyncDriver
from tiered_cache._engine.flusher import Flusher
from tiered_cache._engine.refresher import Refresher, recomputing, report_failure
from tiered_cache._engine.stack import Stack, StackOptions
from tiered_cache.contracts import DurableTier, LiveTier
from tiered_cache.errors import CacheClosedError, ConfigurationError
from tiered_cache.forking import call_in_child, fork_safe_lock
from tiered_cache.stats.counters import CacheCounters, Tally, TierCounters

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence
    from pathlib import Path

    from tiered_cache._engine.effects import Plan, Refresh
    from tiered_cache._engine.level import Level
    from tiered_cache.contracts import Journal, Tier
    from tiered_cache.events import Event
    from tiered_cache.stats.snapshot import CacheStats, TierStats
    from tiered_cache_policies.contracts import Node, StatisticsPolicy

__all__ = ["MISSING", "NO_NODES", "BuiltOnce", "Core", "CoreSource", "Face"]

MISSING: Any = object()

_TIMED_HITS = 100

_taken: weakref.WeakSet[Tier] = weakref.WeakSet()

NO_NODES: Mapping[str, Node] = {}
"""The live nodes of a cache that has none."""

T = TypeVar("T")


class Core:
    """An open stack with its driver and counters. Thread-safe."""

    def __init__(
        self, tiers: Sequence[Tier], options: StackOptions, statistics: StatisticsPolicy
    ) -> None:
        _check_order(tiers)
        _take(tiers)
        self._tier_counters = [TierCounters(tier.name, statistics) for tier in tiers]
        self._counters = CacheCounters(statistics)
        self.live_hits = Tally()
        self.monotonic = options.clock.monotonic
        self.stack = Stack(
            tiers,
            options,
            self._tier_counters,
            count_hit=self._counters.hit,
            count_stale_hit=self._counters.stale_hit,
            count_miss=self._counters.miss,
            journal=self._journal,
            count_computed=self._counters.computed,
            count_coalesced=self._counters.coalesced,
        )
        try:
            self.stack.open()
        except BaseException:
            _give_back(tiers)
            raise
        self._run = SyncDriver(self.stack).run
        self.stack.following.start(self._run)
        self._faces: weakref.WeakSet[Face] = weakref.WeakSet()
        self._lock = fork_safe_lock()
        self._closed = False
        self._journal_made: Journal | None = None
        self.side: Any = None
        """What event loops use of it, once one does: `async_core`'s, which stands above."""
        self._flusher = Flusher(self.stack, self._run)
        self._refresher = Refresher()
        self.stack.refresh = self._recompute
        if self.stack.queues_writes:
            self.stack.wake = self._flusher.wake
            if journal_directory(tiers, options.namespace).is_dir():
                self._flusher.adopt()

    def _recompute(self, wanted: Refresh) -> None:
        def job() -> None:
            try:
                self.run(recomputing(self.stack, wanted))
            except CacheClosedError:
                pass
            except Exception as error:
                report_failure(self.stack, wanted.key, error)

        self._refresher.submit(wanted.key, job)

    def _journal(self) -> Journal:
        if self._journal_made is None:
            # sqlite3 is imported by the first write that needs a journal, and by no other.
            from tiered_cache.journal import DiskJournal

            tiers = [level.tier for level in self.stack.levels]
            made = DiskJournal(journal_directory(tiers, self.stack.options.namespace))
            with self._lock:
                # Of two that come at once one is never used, and so opens nothing.
                self._journal_made = self._journal_made or made
        return self._journal_made

    @property
    def live(self) -> Mapping[str, Node]:
        """The nodes for inlined hits; empty while listeners want to hear of each hit."""
        if self._closed or self.stack.listeners.active:
            return NO_NODES
        return self.stack.levels[0].live

    def join(self, face: Face) -> None:
        """Keep the live nodes that `face` reads up to date from now on."""
        with self._lock:
            self._faces.add(face)
        face.refresh(self)

    def _refresh(self) -> None:
        with self._lock:
            faces = list(self._faces)
        for face in faces:
            face.refresh(self)

    def listen(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Add a listener; what is returned takes it off again."""
        self.stack.listeners.add(listener)
        self._refresh()

        def remove() -> None:
            self.stack.listeners.remove(listener)
            self._refresh()

        return remove

    def keep_side(self, side: Any) -> Any:
        """Keep what event loops use; what is kept, of several that come at once."""
        with self._lock:
            self.side = self.side or side
        return self.side

    def check_open(self, plan: Plan[Any] | None = None) -> None:
        """Raise, and throw `plan` away, if the cache is closed."""
        if self._closed:
            if plan is not None:
                plan.close()
            msg = "the cache is closed: make a new one, or don't close it while it is in use"
            raise CacheClosedError(msg)

    def run(self, plan: Plan[T]) -> T:
        """Run a plan and tell the listeners."""
        self.check_open(plan)
        try:
            return self._run(plan)
        finally:
            if self.stack.pending:
                self.stack.tell()

    def change(self, keys: Sequence[str], plan: Plan[T]) -> T:
        """Run a plan that changes `keys`, one after the other in this process."""
        held = self.stack.begin_change(keys)
        try:
            self.check_open(plan)
            return self._run(plan)
        finally:
            self.stack.flights.detach(keys)
            self.stack.end_change(held)
            if self.stack.pending:
                self.stack.tell()

    def live_hit(self, key: str) -> Any:
        """The value of an inlined hit on `key`, or `MISSING`; the view counts it by itself."""
        node = self.live.get(key)
        if node is None:
            return MISSING
        held = node.value
        if self.monotonic() >= held.until:
            return MISSING
        node.visits += 1
        next(self.live_hits.counter)
        return held.value

    def view_hits(self, prefix: str) -> Callable[[], object]:
        """What counts a hit of the view whose keys begin with `prefix`."""
        return self._counters.view(prefix).hits.add

    def _time_live_hit(self) -> float:
        """The seconds of an inlined hit, measured now: timing each would cost more than the hit."""
        live = self.stack.levels[0].live
        key = next(iter(dict(live)), "")
        started = time.perf_counter()
        for _ in range(_TIMED_HITS):
            node = live.get(key)
            if node is not None and self.monotonic() < node.value.until:
                node.visits += 0
        return (time.perf_counter() - started) / _TIMED_HITS

    def stats(self) -> CacheStats:
        """All counters. Asks each tier how full it is."""
        live_hits = self.live_hits.read()
        tiers = [
            self._tier_stats(level, counters, 0 if level.index else live_hits)
            for level, counters in zip(self.stack.levels, self._tier_counters, strict=True)
        ]
        return self._counters.snapshot(tuple(tiers), live_hits=live_hits)

    def _tier_stats(self, level: Level, counters: TierCounters, live_hits: int) -> TierStats:
        saved_s = level.tier.live_seconds_saved() if isinstance(level.tier, LiveTier) else 0.0
        live_s = live_hits * self._time_live_hit() if live_hits else 0.0
        stats = counters.snapshot(live_hits=live_hits, live_s=live_s, live_saved_s=saved_s)
        reply = level.call("info", None, level.tier.info)
        fields: dict[str, Any] = {} if reply.value is None else reply.value._asdict()
        if level.fault:
            fields["detail"] = level.fault
        return stats.standing(breaker=level.breaker.state.value, **fields)

    def retry_parked(self, keys: Container[str] | None) -> int:
        """Queue what is parked in the journal once more."""
        return self._flusher.retry(keys)

    def wait_until_refreshed(self, timeout_s: float) -> bool:
        """Wait until no value is computed anew in the background; whether none is."""
        return self._refresher.wait_until_idle(timeout_s)

    def flush(self, timeout_s: float) -> list[str]:
        """Write down what is queued; the keys that were not in time."""
        left = self._flusher.finish(timeout_s)
        self.stack.tell()
        return left

    def close(self) -> None:
        """Close the tiers; operations fail from now on."""
        if not self._closed:
            self._closed = True
            self._refresh()
            if self.side is not None:
                self.side.close_soon()
            self._refresher.close()
            self.stack.renewer.close()
            self._flusher.close()
            self.stack.following.close()
            self.stack.close_tiers()
            if self._journal_made is not None:
                self._journal_made.close()
            _give_back([level.tier for level in self.stack.levels])


class BuiltOnce:
    """Builds a core: of those who call it together one builds, and the others wait for it. Fork-safe."""

    def __init__(self, build: Callable[[], Core]) -> None:
        self._build = build
        self._core: Core | None = None
        self._start()
        call_in_child(self._start)

    def _start(self) -> None:
        self._turn = threading.Lock()

    def __call__(self) -> Core:
        """The core."""
        with self._turn:
            if self._core is None:
                self._core = self._build()
            return self._core


class Face(Protocol):
    """Whatever keeps a reference of a core's live nodes for its inlined hits."""

    def refresh(self, core: Core | None) -> None:
        """Take the live nodes of `core`; none if there is no open core."""
        ...


class CoreSource:
    """The current core of a cache, built when it is first used, and replaceable.

    Args:
        build: Makes the core.
    """

    def __init__(self, build: Callable[[], Core]) -> None:
        self._build = build
        self._core: Core | None = None
        self._lock = fork_safe_lock()
        self._faces: weakref.WeakSet[Face] = weakref.WeakSet()

    def add(self, face: Face) -> None:
        """Have `face` join the core, this one and every later one."""
        with self._lock:
            self._faces.add(face)
            core = self._core
        if core is not None:
            core.join(face)

    def core(self) -> Core:
        """The core, built now if this is the first use."""
        core = self._core
        return core if core is not None else self._make()

    def built(self) -> Core | None:
        """The core, if it was built already: never takes long."""
        return self._core

    def _make(self) -> Core:
        # Built outside the lock, which must not be held over I/O. Of two threads that come at
        # the same time, one builds in vain.
        made = self._build()
        with self._lock:
            core = self._core = self._core or made
            faces = list(self._faces)
        if core is not made:
            made.close()
        for face in faces:
            core.join(face)
        return core

    def replace(self, build: Callable[[], Core]) -> None:
        """Build anew at the next use; the current core is closed."""
        with self._lock:
            old, self._core = self._core, None
            self._build = build
            faces = list(self._faces)
        for face in faces:
            face.refresh(None)
        if old is not None:
            old.close()

    def close(self) -> None:
        """Close the core; using it again raises."""
        self.core().close()


def journal_directory(tiers: Sequence[Tier], namespace: str) -> Path:
    """Where queued writes are journaled: beside the tier on disk, or in the user's state directory."""
    for tier in tiers:
        if isinstance(tier, DurableTier):
            return tier.journal_directory
    import platformdirs

    return platformdirs.user_state_path("tiered-cache") / "journal" / namespace


def _check_order(tiers: Sequence[Tier]) -> None:
    if not tiers:
        msg = "a cache needs at least one tier, such as MemoryTier()"
        raise ConfigurationError(msg)
    names = [tier.name for tier in tiers]
    for name in names:
        if names.count(name) > 1:
            msg = f"two tiers are called {name!r}: give one of them another name="
            raise ConfigurationError(msg)
    for upper, lower in itertools.pairwise(tiers):
        if upper.reach > lower.reach:
            msg = (
                f"tier {lower.name!r} ({lower.reach.name.lower()} reach) stands below {upper.name!r} "
                f"({upper.reach.name.lower()} reach): a lookup falls from the fast tiers that few "
                f"share to the slow ones that many share, so put {lower.name!r} first"
            )
            raise ConfigurationError(msg)


def _take(tiers: Sequence[Tier]) -> None:
    """Make sure that no tier serves two caches, whose keys it could not tell apart."""
    for tier in tiers:
        if tier in _taken:
            msg = f"the tier {tier.name!r} belongs to another cache already: make one for each"
            raise ConfigurationError(msg)
    _taken.update(tiers)


def _give_back(tiers: Sequence[Tier]) -> None:
    for tier in tiers:
        _taken.discard(tier)
