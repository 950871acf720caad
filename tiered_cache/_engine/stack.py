"""A stack: the levels, fastest first, and everything that they share."""

from __future__ import annotations

import logging
import math
import os
import secrets
import socket
from collections import deque
from contextvars import ContextVar
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from tiered_cache._engine.level import Level
from tiered_cache._engine.state.fault_log import FaultLog
from tiered_cache._engine.state.flights import Flights
from tiered_cache._engine.state.key_locks import LOCK_WAIT_S, Stripes
from tiered_cache._engine.state.write_queue import WriteQueue
from tiered_cache._engine.workers.change_follower import Following
from tiered_cache._engine.workers.lease_renewer import Renewer
from tiered_cache._process.fork import call_in_child
from tiered_cache.clock import SKEW_ALLOWANCE_S
from tiered_cache.contracts import EvictionReason, Reach, TierContext
from tiered_cache.events import Event, EventKind, Listeners
from tiered_cache_policies.contracts import Candidate, QueueLimits, QueuesWrites, WritePlan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tiered_cache._engine.effects import Refresh, RefreshMany
    from tiered_cache._engine.state.key_locks import Stripe
    from tiered_cache.clock import Clock
    from tiered_cache.contracts import Codec, Counting, Journal, Recorder, Tier
    from tiered_cache.entry import Entry
    from tiered_cache.options import Coherence, Scope, SingleFlight
    from tiered_cache_policies.contracts import (
        AdmissionPolicy,
        ExpiryPolicy,
        PromotionPolicy,
        RefreshPolicy,
        WritePolicy,
        WriteRequest,
    )

__all__ = ["Stack", "StackOptions", "changing"]

_log = logging.getLogger("tiered_cache")

_TICK_S = 1e-6
_NO_QUEUE = QueueLimits(0.0, 0.0, 1, 1)
_MAX_PENDING_EVENTS = 100_000

T = TypeVar("T")


changing: ContextVar[tuple[Stack, ...]] = ContextVar("tiered_cachechanging", default=())
"""The stacks that the calling thread or task is changing something in."""


class StackOptions(NamedTuple):
    """What a stack is made of, beside its tiers. Without a promotion policy, all is promoted."""

    namespace: str
    codec: Codec
    writing: WritePolicy
    promotion: PromotionPolicy | None
    admission: Mapping[str, AdmissionPolicy]
    expiry: tuple[ExpiryPolicy, ...]
    refreshing: RefreshPolicy | None
    single_flight: SingleFlight
    coherence: Coherence
    stale_for_s: float
    longest_s: Mapping[str, float]
    clock: Clock
    default_lifetime_s: float
    failures_to_open: int
    probe_interval_s: float
    strict: bool


class Stack:
    """The levels of one cache, and what plans know of it."""

    def __init__(
        self,
        tiers: Sequence[Tier],
        options: StackOptions,
        recorders: Sequence[Recorder],
        *,
        counters: Counting,
        journal: Callable[[], Journal],
        rest_s: Callable[[str], float],
    ) -> None:
        self.options = options
        self.codec = options.codec
        self.clock = options.clock
        self.listeners = Listeners()
        self.faults = FaultLog(options.clock.monotonic)
        self.count_hit = counters.hit
        self.count_stale_hit = counters.stale_hit
        self.count_miss = counters.miss
        self.count_computed = counters.computed
        self.count_coalesced = counters.coalesced
        self.count_wait = counters.waited
        self._rest_s = rest_s
        self._count_serialized = counters.serialized if counters.times_serializing else None
        self.flights = Flights()
        self.renewer = Renewer(lambda: self.origin)
        self.epoch = 0
        self.journal = journal
        self.queues_writes = isinstance(options.writing, QueuesWrites)
        self.queue = WriteQueue(
            options.writing.limits if isinstance(options.writing, QueuesWrites) else _NO_QUEUE,
            options.clock.monotonic,
        )
        self.refresh: Callable[[Refresh], None] = lambda _: None
        self.refresh_many: Callable[[RefreshMany], None] = lambda _: None
        self.wake: Callable[[], None] = lambda: None
        self._last_stamp_s = -math.inf
        self.pending: deque[Event] = deque(maxlen=_MAX_PENDING_EVENTS)
        self._start_in_process()
        call_in_child(self._start_in_process)
        self.levels = tuple(
            Level(
                index,
                tier,
                recorder,
                clock=options.clock,
                faults=self.faults,
                note=self.note,
                failures_to_open=options.failures_to_open,
                probe_interval_s=options.probe_interval_s,
                strict=options.strict,
                admission=options.admission.get(tier.name),
                longest_s=options.longest_s.get(tier.name, math.inf),
            )
            for index, (tier, recorder) in enumerate(zip(tiers, recorders, strict=True))
        )
        self.record_tiers = frozenset(level.name for level in self.levels if level.holds_records)
        self.measures = bool(options.admission)
        """Whether the size of a record is wanted even where no tier needs the record now."""
        self.facts = tuple(level.facts for level in self.levels)
        self.following = Following(self)
        self.between = tuple(
            level.index
            for level in self.levels
            if Reach.PROCESS < level.tier.reach < self.levels[-1].tier.reach
        )
        """The levels that processes share, above one that more of them share."""
        self.everywhere = WritePlan(tuple(reversed(range(len(self.levels)))))
        self._sound_plans = {self.everywhere}
        self.widest_reach = max(
            (level.tier.reach for level in self.levels if level.holds_records), default=None
        )

    def open(self) -> None:
        """Open every tier. The only one must come up; of several, those that don't come later."""
        required = len(self.levels) == 1
        for level in self.levels:
            level.open(self._context(level), required=required)

    def _context(self, level: Level) -> TierContext:
        def evicted(key: str, size_bytes: int, reason: EvictionReason) -> None:
            expired = reason is EvictionReason.EXPIRED
            level.recorder.count("expirations" if expired else "evictions")
            if self.listeners.active:
                event = Event(EventKind.EVICTION, level.name, key, 0.0, size_bytes, reason.value)
                self.pending.append(event)

        def mutated(key: str) -> None:
            self.faults.report(
                level.name,
                "mutation",
                f"A caller changed the cached value of {key!r} in place; it was dropped. Copy a "
                "value before you change it, or use MemoryTier(copy='deep').",
            )
            self.note(Event(EventKind.MUTATION, level.name, key))

        return TierContext(
            namespace=self.options.namespace,
            clock=self.clock,
            evicted=evicted,
            fingerprint=self.codec.fingerprint,
            window_s=self.window_s,
            mutated=mutated,
            origin=lambda: self.origin,
            trusted_until=self.following.trusted_until,
            rest_s=self._rest_s,
        )

    def encode(self, key: str, entry: Entry, reach: Reach) -> bytes:
        """The record of an entry, timed where that is wanted; raises what `Codec.encode` does."""
        count = self._count_serialized
        if count is None:
            return self.codec.encode(key, entry, reach)
        started = perf_counter()
        record = self.codec.encode(key, entry, reach)
        count(perf_counter() - started)
        return record

    def lease_level(self, scope: Scope) -> Level | None:
        """The slowest level in which those within `scope` can agree on who computes a key."""
        for level in reversed(self.levels):
            if level.leases is not None and level.tier.reach.value <= scope.value:
                return level
        return None

    def window_s(self, lifetime_s: float, cost_s: float) -> float:
        """The seconds before a value's end in which the refresh policy wants to see its hits."""
        policy = self.options.refreshing
        if policy is None or lifetime_s == math.inf:
            return 0.0
        return self.decide(policy.window_s, lifetime_s, cost_s, otherwise=0.0)

    def stamp(self) -> float:
        """The wall clock, for what is written now; later than for all that was written before.

        Where it is set back by no more than the skew that is allowed between hosts, it stands
        still instead; set back by more, what was written before counts as of the future.
        """
        now_s = self.clock.wall()
        if now_s <= self._last_stamp_s <= now_s + SKEW_ALLOWANCE_S:
            now_s = self._last_stamp_s + _TICK_S
        self._last_stamp_s = now_s
        return now_s

    def note(self, event: Event) -> None:
        """Keep an event for the listeners until the locks are let go."""
        if self.listeners.active:
            self.pending.append(event)

    def tell(self) -> None:
        """Give the kept events to the listeners; to be called without a lock held."""
        while self.pending:
            try:
                event = self.pending.popleft()
            except IndexError:  # another thread was quicker
                return
            self.listeners.emit(event)

    def decide(self, question: Callable[..., T], *facts: Any, otherwise: T) -> T:
        """What a policy answers, or `otherwise` if it raises: law 1."""
        try:
            return question(*facts)
        except Exception as error:
            self.faults.report(
                "policy", type(error).__name__, f"A policy failed: {question!r}: {error!r}"
            )
            return otherwise

    def plan_write(self, request: WriteRequest) -> WritePlan:
        """Where a write goes: as the policy says, or everywhere if that can't be done."""
        return self.decide(self._plan_write, request, otherwise=self.everywhere)

    def _plan_write(self, request: WriteRequest) -> WritePlan:
        plan = self.options.writing.plan(request, self.facts)
        if plan not in self._sound_plans:
            self._check_plan(plan)
            self._sound_plans.add(plan)
        return plan

    def _check_plan(self, plan: WritePlan) -> None:
        named = (*plan.now, *plan.later)
        if not set(named) <= set(range(len(self.levels))) or len(set(named)) < len(named):
            msg = f"{plan!r} must name levels of the stack, each at most once"
            raise ValueError(msg)
        if plan.later and not self.queues_writes:
            msg = f"{plan!r} has levels for later, but {self.options.writing!r} has no `limits` of a queue"
            raise ValueError(msg)

    def _start_in_process(self) -> None:
        self.stripes = Stripes()
        self.origin = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    def admits(
        self, level: Level, key: str, entry: Entry, lifetime_s: float, *, filling: bool
    ) -> bool:
        """Whether a value may enter a tier; counts it if not."""
        if level.admission is None:
            return True
        candidate = Candidate(
            key, entry.size_bytes, entry.cost_s, lifetime_s, filling, level.read_s
        )
        if self.decide(level.admission.admit, candidate, level.facts, otherwise=True):
            return True
        level.recorder.count("not_admitted")
        return False

    def begin_change(self, keys: Sequence[str], held: list[Stripe]) -> None:
        """Let the changes of a key in this process happen one after the other.

        Without it, two writers could leave different values in different tiers. The locks that it
        adds to `held`, for the caller to release, are held over I/O, which has its deadlines; if one
        can't be had, the change goes ahead without it.
        """
        self.enter_change()
        for stripe in self.stripes.of(keys):
            if stripe.lock.acquire(timeout=LOCK_WAIT_S):
                held.append(stripe)
            else:
                self.report_impatience()

    def enter_change(self) -> None:
        """Remember that the calling thread or task changes something, until `changing` is set back."""
        changing.set((*changing.get(), self))

    def report_impatience(self) -> None:
        """Say that a change goes ahead without a lock that it could not have."""
        self.faults.report("engine", "lock", "A write waited too long for another one")

    def changes_here(self) -> bool:
        """Whether the calling thread or task is in the middle of a change."""
        return self in changing.get()

    def hold(self, keys: Sequence[str], *, all_keys: bool) -> list[Stripe] | None:
        """Keep `keys`, or all, from being changed here until `let_go`; `None` if it can't."""
        held: list[Stripe] = []
        for stripe in self.stripes.all() if all_keys else self.stripes.of(keys):
            if not stripe.lock.acquire(timeout=LOCK_WAIT_S):
                self.let_go(held)
                return None
            held.append(stripe)
        return held

    def let_go(self, held: Iterable[Stripe]) -> None:
        """Let the next change of the keys go ahead."""
        for stripe in held:
            stripe.release()

    def close_tiers(self) -> list[str]:
        """Close every tier; the names of those that failed to."""
        failed = []
        for level in self.levels:
            try:
                level.tier.close()
            except Exception:
                failed.append(level.name)
                _log.warning("Tier %r failed to close", level.name, exc_info=True)
        return failed
