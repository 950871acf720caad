"""The inside of a cache, shared by its faces and views: a stack, its driver and its counters."""

from __future__ import annotations

import contextlib
import functools
import itertools
import threading
import time
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from tiered_cache._engine.drivers.sync import SyncDriver
from tiered_cache._engine.effects import OK
from tiered_cache._engine.stack import Stack, StackOptions, changing
from tiered_cache._engine.state.breaker import BreakerState
from tiered_cache._engine.workers.flusher import Flusher
from tiered_cache._engine.workers.refresher import Refresher, recomputing, report_failure
from tiered_cache._process.fork import call_in_child, fork_safe_lock
from tiered_cache._process.user_directory import user_directory
from tiered_cache.contracts import DurableTier, LiveTier, Reach
from tiered_cache.contracts.boards import BoardTier
from tiered_cache.contracts.tracer import Tell, Tracer, begun
from tiered_cache.errors import (
    CacheClosedError,
    ConfigurationError,
    JournalError,
    TierUnavailableError,
)
from tiered_cache.stats.counting.cache_counters import CacheCounters, TierCounters
from tiered_cache.stats.counting.tally import Tally
from tiered_cache.stats.curves.curves import size_in_entries
from tiered_cache.stats.fleet.fleet_stats import FleetStats, fleet_of
from tiered_cache.stats.fleet.moments import past_of
from tiered_cache.stats.fleet.outlet import Answer, Outlet
from tiered_cache.stats.fleet.publisher import Publisher
from tiered_cache.stats.snapshot.cache_stats import BreakerChange

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tiered_cache._engine.effects import Plan, Refresh, RefreshMany
    from tiered_cache._engine.level import Level
    from tiered_cache._engine.state.key_locks import Stripe
    from tiered_cache.contracts import Journal, Tier
    from tiered_cache.events import Event
    from tiered_cache.stats.fleet.reports import Totals
    from tiered_cache.stats.snapshot.cache_stats import CacheStats, TierStats
    from tiered_cache_policies.contracts import Node, StatisticsPolicy

__all__ = ["MISSING", "NO_NODES", "BuiltOnce", "Core", "CoreSource", "Face", "FunctionHits"]

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
        _take(tiers)
        self._tier_counters = [TierCounters(tier.name, statistics) for tier in tiers]
        self.monotonic = options.clock.monotonic
        self._counters = CacheCounters(statistics, len(tiers), self.monotonic)
        self.live_hits = Tally()
        self.stack = Stack(
            tiers,
            options,
            self._tier_counters,
            counters=self._counters,
            journal=self._journal,
            rest_s=self._counters.rest_s,
        )
        self._run = SyncDriver(self.stack).run
        try:
            self.stack.open()
            self.stack.following.start(self._run)
        except BaseException:
            self.stack.close_tiers()
            _give_back(tiers)
            raise
        self._faces: weakref.WeakSet[Face] = weakref.WeakSet()
        self._lock = fork_safe_lock()
        self._closed = False
        self.tracer: Tracer | None = None
        self._live_s = 0.0
        self._live_timed = 0
        self._journal_made: Journal | None = None
        self.side: Any = None
        """What event loops use of it, once one does: `async_core`'s, which stands above."""
        self._publisher = Publisher(
            [] if not statistics.one_in else [*self._outlets()],
            lambda: self.stats(asking=False),
            self.counted,
            lambda: self.stack.origin,
            options.clock,
        )
        self._flusher = Flusher(self.stack, self._run)
        self._refresher = Refresher()
        self.stack.refresh = self._recompute
        self.stack.refresh_many = self._recompute_many
        if self.stack.queues_writes:
            self.stack.wake = self._flusher.wake
            journal = journal_directory(tiers, options.namespace)
            if journal is not None and journal.is_dir():
                self._flusher.adopt()

    def _outlets(self) -> Iterator[Outlet]:
        for level in self.stack.levels:
            tier = level.tier
            if isinstance(tier, BoardTier) and tier.reach > Reach.PROCESS:
                guarded = functools.partial(_guarded, level)
                yield Outlet(tier.board, tier.reach.name.lower(), guarded)

    def _recompute(self, wanted: Refresh) -> None:
        self._refresher.submit(wanted.key, lambda: self._redo(wanted, [wanted.key]))

    def _recompute_many(self, wanted: RefreshMany) -> None:
        self._refresher.submit_many(wanted.seen, lambda keys: self._redo(wanted, keys))

    def _redo(self, wanted: Refresh | RefreshMany, keys: Sequence[str]) -> None:
        """Compute some keys of what is wanted anew, in the background."""
        try:
            self.run(recomputing(self.stack, wanted, keys))
        except CacheClosedError:
            pass
        except Exception as error:
            report_failure(self.stack, keys[0], error)

    def _journal(self) -> Journal:
        if self._journal_made is None:
            # sqlite3 is imported by the first write that needs a journal, and by no other.
            from tiered_cache.journal import DiskJournal

            tiers = [level.tier for level in self.stack.levels]
            directory = journal_directory(tiers, self.stack.options.namespace)
            if directory is None:
                msg = (
                    "No directory was found for the journal of writes: add a disk tier with a path "
                    "(setting disk.path), or set the home directory (HOME)"
                )
                raise JournalError(msg)
            made = DiskJournal(directory)
            with self._lock:
                # Of two that come at once one is never used, and so opens nothing.
                self._journal_made = self._journal_made or made
        return self._journal_made

    @property
    def live(self) -> Mapping[str, Node]:
        """The nodes for inlined hits; empty while listeners or a tracer want to hear of each hit."""
        if self._closed or self.stack.listeners.active or self.tracer is not None:
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
        if not callable(listener):
            msg = f"a listener is a function that takes an event, not {listener!r}"
            raise ConfigurationError(msg)
        self.stack.listeners.add(listener)
        self._refresh()

        def remove() -> None:
            self.stack.listeners.remove(listener)
            self._refresh()

        return remove

    def trace(self, tracer: Tracer) -> Callable[[], None]:
        """Have `tracer` begin a span for each `get_or_compute`; what is returned ends that."""
        if self.tracer is not None:
            msg = "the cache has a tracer already: end that one first"
            raise ConfigurationError(msg)
        self.tracer = tracer
        self._refresh()

        def end() -> None:
            self.tracer = None
            self._refresh()

        return end

    def span(self, key: str) -> AbstractContextManager[Tell | None]:
        """A span for a lookup of `key`, if there is a tracer."""
        if self.tracer is None:
            return contextlib.nullcontext()
        return begun(self.tracer, key, self._tracer_failed)

    def _tracer_failed(self, error: Exception) -> None:
        self.stack.faults.report(
            "tracer", type(error).__name__, f"The tracer failed to begin a span: {error!r}"
        )

    def keep_side(self, side: Any) -> Any:
        """Keep what event loops use; what is kept, of several that come at once."""
        with self._lock:
            self.side = self.side or side
        return self.side

    def admit(self, plan: Plan[Any] | None = None) -> None:
        """See to it that statistics are published, and raise, and end `plan`, if the cache is closed."""
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
        """Run a plan and tell the listeners."""
        if self._closed or not self._publisher.running:
            self.admit(plan)
        try:
            return self._run(plan)
        finally:
            if self.stack.pending:
                self.stack.tell()

    def change(self, keys: Sequence[str], plan: Plan[T]) -> T:
        """Run a plan that changes `keys`, one after the other in this process."""
        held: list[Stripe] = []
        before = changing.get()
        try:
            self.stack.begin_change(keys, held)
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
                    stripe.tell_next()
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
        function = self._counters.groups.function_of(key)
        next((self.live_hits if function is None else function.live_hits).counter)
        return held.value

    def view_hits(self, prefix: str) -> Callable[[], object]:
        """What counts an inlined hit of the view whose keys begin with `prefix`."""
        return self._counters.groups.view(prefix).live_hits.add

    def function_hits(self, name: str, prefix: str) -> Iterator[int]:
        """What counts an inlined hit of a function, in the place of `live_hits.counter`.

        Args:
            name: The function's.
            prefix: What its keys begin with, up to the colon before the digest.
        """
        return self._counters.groups.function(name, prefix).live_hits.counter

    def _time_live_hit(self) -> float:
        """The seconds of an inlined hit, measured now: timing each would cost more than the hit."""
        live = self.stack.levels[0].live
        key = ""
        with contextlib.suppress(RuntimeError):  # it was changed in between: any key will do
            key = next(iter(live), "")
        started = time.perf_counter()
        for _ in range(_TIMED_HITS):
            node = live.get(key)
            if node is not None and self.monotonic() < node.value.until:
                node.visits += 0
        return (time.perf_counter() - started) / _TIMED_HITS

    def stats(self, *, asking: bool = True) -> CacheStats:
        """All counters, and how things stand. Asks each tier that works how full it is.

        Args:
            asking: Whether to find out on the way if a tier is back whose breaker is open.
        """
        stack = self.stack
        counted = self.counted()
        tiers = [
            self._standing(level, tier, asking=asking)
            for level, tier in zip(stack.levels, counted.tiers, strict=True)
        ]
        queue = stack.queue.figures()
        return replace(
            counted,
            tiers=tuple(tiers),
            queue_depth=queue["depth"],
            queue_age_s=queue["age_s"],
            queue_parked=queue["parked"],
            journal_bytes=0 if self._journal_made is None else self._journal_made.size_bytes(),
            staleness_bound_s=stack.following.bound_s,
            bus_lag_s=max(_behind_s(tiers), default=None),
        )

    def counted(self) -> CacheStats:
        """All counters, without asking any tier how it stands."""
        live_hits, live_s, live_hit_s = self._live_hits_now()
        tiers = []
        for level, counters in zip(self.stack.levels, self._tier_counters, strict=True):
            saved_s = level.tier.live_seconds_saved() if isinstance(level.tier, LiveTier) else 0.0
            hits, seconds = (live_hits, live_s) if level.index == 0 else (0, 0.0)
            tiers.append(counters.snapshot(live_hits=hits, live_s=seconds, live_saved_s=saved_s))
        return self._counters.snapshot(tuple(tiers), live_hits=live_hits, live_hit_s=live_hit_s)

    def _live_hits_now(self) -> tuple[int, float, float]:
        """How many inlined hits there were, how long they took, and how long one takes now."""
        functions = self._counters.groups.functions()
        live_hits = self.live_hits.read() + sum([each.live_hits.read() for each in functions])
        live_hit_s = self._time_live_hit() if live_hits else 0.0
        with self._lock:
            # Each by how long one took at its time: what was counted must not change later.
            self._live_s += max(0, live_hits - self._live_timed) * live_hit_s
            self._live_timed = max(self._live_timed, live_hits)
            return live_hits, self._live_s, live_hit_s

    def _standing(self, level: Level, stats: TierStats, *, asking: bool) -> TierStats:
        if asking:
            level.probe()
        info = level.info()
        fields = info._asdict()
        if level.fault:
            fields["detail"] = level.fault
        size = size_in_entries(info)
        # Of a tier whose hits are inlined, no more is known as long as it is not full.
        if size is not None and stats.counted and (stats.evictions or not level.is_live):
            fields["curve"] = self._counters.curves.curve(level.index, size, stats.lookups)
            fields["curve_lookups"] = stats.lookups
        return stats.standing(
            breaker=level.breaker.state.value,
            breaker_changes=tuple(BreakerChange(*each) for each in level.breaker_changes),
            reach=level.tier.reach.name.lower(),
            lag=self.stack.following.lag(level),
            **fields,
        )

    def fleet(self, since_s: float | None, within: str | None) -> FleetStats:
        """What all processes did that share a tier: the one that most share, and that answers.

        Args:
            since_s: For how long back, `None` for all.
            within: The widest reach that is wanted: `"cluster"`, `"host"` or `"process"`.
        """
        now_s = self.stack.clock.wall()
        for outlet in reversed(self._publisher.outlets):
            if within in (None, "cluster", outlet.reach):
                own = self._publisher.own(outlet)
                answer = outlet.guarded(fleet_of, outlet.board, own, now_s, outlet.reach, since_s)
                if answer.done:
                    found: FleetStats = answer.value
                    return found
        return FleetStats(self.stats(), None, (), 0, 0, "process", now_s)

    def fleet_past(self, reach: str) -> list[Totals]:
        """What all processes had done that share the tier of this reach, moment by moment."""
        for outlet in self._publisher.outlets:
            if outlet.reach == reach:
                answer = outlet.guarded(past_of, outlet.board)
                if answer.done:
                    found: list[Totals] = answer.value
                    return found
        return []

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
            self._publisher.close()
            self._refresher.close()
            self.stack.renewer.close()
            self._flusher.close()
            self.stack.following.close()
            self.stack.close_tiers()
            self.stack.faults.close()
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


def _guarded(level: Level, function: Callable[..., Any], *args: Any, **options: Any) -> Answer:
    """What came of a call that uses a level's board: never the one that tests a sick tier."""
    if level.breaker.state is not BreakerState.CLOSED:
        return Answer(asked=False, done=False)
    try:
        reply = level.call("statistics", None, functools.partial(function, *args, **options))
    except TierUnavailableError:  # of a strict stack
        return Answer(asked=True, done=False)
    return Answer(asked=True, done=reply.status == OK, value=reply.value)


class Face(Protocol):
    """Whatever keeps a reference of a core's live nodes for its inlined hits."""

    def refresh(self, core: Core | None) -> None:
        """Take the live nodes of `core`; none if there is no open core."""
        ...


class FunctionHits:
    """The nodes from which a wrapped function's hits are read, and the counter of these. A `Face`.

    Args:
        name: The function's, as its keys begin.
        view: The prefix of the namespace view that it is kept in; of one, no hit is inlined.
    """

    __slots__ = ("__weakref__", "_name", "_view", "counter", "live", "now")

    def __init__(self, name: str, view: str) -> None:
        self._name = name
        self._view = view
        self.live = NO_NODES
        self.now: Callable[[], float] = time.monotonic
        self.counter: Iterator[int] = itertools.count()

    def refresh(self, core: Core | None) -> None:
        """Take the live nodes of `core`, and its counter of this function."""
        self.live = NO_NODES
        if core is not None:
            self.now = core.monotonic
            self.counter = core.function_hits(self._name, self._view + self._name)
            self.live = NO_NODES if self._view else core.live


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


def _behind_s(tiers: Sequence[TierStats]) -> list[float]:
    """How long ago the logs of tiers were read to their ends, of those that ever were."""
    lags = [tier.lag for tier in tiers if tier.lag is not None]
    return [lag.behind_s for lag in lags if lag.behind_s is not None]


def journal_directory(tiers: Sequence[Tier], namespace: str) -> Path | None:
    """The journal's directory: beside the disk tier, or else below the user's state directory.

    `None` if there is no disk tier and no home directory was found.
    """
    for tier in tiers:
        if isinstance(tier, DurableTier):
            return tier.journal_directory
    state = user_directory("state")
    return None if state is None else state / "journal" / namespace


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
