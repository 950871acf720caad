"""A stack: the levels, fastest first, and everything that plans know of them."""

from __future__ import annotations

import logging
import math
import os
import secrets
import socket
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from tiered_cache._engine.level import Level
from tiered_cache._engine.scopes import scope_text
from tiered_cache._engine.sharing import count_above, log_positions, unlogged_level
from tiered_cache._engine.state.comparisons import Comparisons
from tiered_cache._engine.state.entry_records import Encoder
from tiered_cache._engine.state.fault_log import FaultLog
from tiered_cache._engine.state.flights import Flights
from tiered_cache._engine.state.held_leases import HeldLeases
from tiered_cache._engine.state.key_locks import KeyLocks
from tiered_cache._engine.state.pending_events import PendingEvents
from tiered_cache._engine.state.write_queue import WriteQueue
from tiered_cache._engine.terms import SINGLE_USE, Terms
from tiered_cache._process.fork import call_in_child
from tiered_cache.clock import SKEW_ALLOWANCE_S
from tiered_cache.contracts import EvictionReason, Reach, TierContext
from tiered_cache.entry import NO_TAGS, Entry, rounded_lead
from tiered_cache.errors import SerializationError
from tiered_cache.events import Event, EventKind
from tiered_cache.units import parse_lifetime
from tiered_cache_policies.contracts import (
    Candidate,
    NewValue,
    QueueLimits,
    QueuesWrites,
    WritePlan,
    WriteRequest,
)
from tiered_cache_policies.writing.write_through import WriteThrough

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tiered_cache.clock import Clock
    from tiered_cache.contracts import Codec, Counting, Journal, Recorder, Tier
    from tiered_cache.options import Coherence, Scope, SingleFlight
    from tiered_cache_policies.contracts import (
        AdmissionPolicy,
        Durability,
        ExpiryPolicy,
        PromotionPolicy,
        RefreshPolicy,
        WritePolicy,
    )

__all__ = ["Stack", "StackOptions"]

_log = logging.getLogger("tiered_cache")

_TICK_S = 1e-6
_NO_QUEUE = QueueLimits(0.0, 0.0, 1, 1)

T = TypeVar("T")


class StackOptions(NamedTuple):
    """The options of a stack, beside its tiers. Without a promotion policy, all is promoted."""

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
    """The levels of one cache with their shared state.

    Args:
        tiers: The tiers, fastest first.
        options: The options.
        recorders: Counts the operations of each tier.
        counters: Counts the operations of the whole cache.
        journal: Gives the journal, made at its first use.
        rest_s: As of `TierContext.rest_s`.
    """

    def __init__(
        self,
        tiers: Sequence[Tier[Any]],
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
        self.events = PendingEvents()
        self.listeners = self.events.listeners
        self.faults = FaultLog(options.clock.monotonic)
        self.count_hit = counters.hit
        self.count_stale_hit = counters.stale_hit
        self.count_miss = counters.miss
        self.count_computed = counters.computed
        self.count_coalesced = counters.coalesced
        self.count_wait = counters.waited
        self._rest_s = rest_s
        self.flights = Flights()
        self.locks = KeyLocks(self._report_lock)
        self.leases = HeldLeases[Level](lambda: self.origin)
        self.epoch = 0
        self.journal = journal
        self.default_terms = Terms(options.default_lifetime_s)
        self.queues_writes = isinstance(options.writing, QueuesWrites)
        self.queue = WriteQueue(
            options.writing.limits if isinstance(options.writing, QueuesWrites) else _NO_QUEUE,
            options.clock.monotonic,
        )
        self._last_stamp_s = -math.inf
        self._name_origin()
        call_in_child(self._name_origin)
        self.levels = tuple(
            Level(
                index,
                tier,
                recorder,
                clock=options.clock,
                faults=self.faults,
                events=self.events,
                failures_to_open=options.failures_to_open,
                probe_interval_s=options.probe_interval_s,
                strict=options.strict,
                admission=options.admission.get(tier.name),
                longest_s=options.longest_s.get(tier.name, math.inf),
            )
            for index, (tier, recorder) in enumerate(zip(tiers, recorders, strict=True))
        )
        self.record_tiers = frozenset(level.name for level in self.levels if level.holds_records)
        self.measures = bool(options.admission) or getattr(options.writing, "needs_size", False)
        """Whether the size of a record is needed even where no tier needs the record now."""
        self.facts = tuple(level.facts for level in self.levels)
        now = options.clock.monotonic
        self.logs = log_positions(self.levels, options.coherence, now)
        self.unlogged = unlogged_level(self.levels, options.coherence)
        """The level with which the copies above are compared, because it logs no changes."""
        self.compared = 0 if self.unlogged is None else count_above(self.unlogged, self.levels)
        """How many levels, from the first, hold copies that are compared."""
        self.between = tuple(
            level.index
            for level in self.levels
            if Reach.PROCESS < level.reach < self.levels[-1].reach
        )
        """The levels that processes share, above one that more processes share."""
        self.everywhere = WritePlan(tuple(reversed(range(len(self.levels)))))
        self._sound_plans = {self.everywhere}
        # The plan of `WriteThrough` is known, so that it need not be asked for each write.
        self._writes_everywhere = type(options.writing) is WriteThrough
        count = counters.serialized if counters.times_serializing else None
        self.encoder = Encoder(options.codec, count, self.levels, marks=self.unlogged is not None)
        self.comparisons = Comparisons(options.coherence.bound_s, now)

    def _name_origin(self) -> None:
        self.origin = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    def _report_lock(self) -> None:
        self.faults.report(
            "engine", "lock", "A change waited too long for another change of its key"
        )

    def open(self) -> None:
        """Open every tier. A single tier must come up; of several, the others may come later."""
        required = len(self.levels) == 1
        for level in self.levels:
            level.open(self._context(level), required=required)
        if self.options.single_flight.scope is None:
            _log.info("Cache %r: %s", self.options.namespace, scope_text(self.levels))

    def _context(self, level: Level) -> TierContext:
        def evicted(key: str, size_bytes: int, reason: EvictionReason) -> None:
            expired = reason is EvictionReason.EXPIRED
            level.recorder.count("expirations" if expired else "evictions")
            if self.listeners.active:
                event = Event(EventKind.EVICTION, level.name, key, 0.0, size_bytes, reason.value)
                self.events.note(event)

        def mutated(key: str) -> None:
            self.faults.report(
                level.name,
                "mutation",
                f"A caller changed the cached value of {key!r} in place; it was dropped. Copy a "
                "value before you change it, or use MemoryTier(copy='deep').",
            )
            self.events.note(Event(EventKind.MUTATION, level.name, key))

        return TierContext(
            namespace=self.options.namespace,
            clock=self.clock,
            evicted=evicted,
            fingerprint=self.codec.fingerprint,
            window_s=self.window_s,
            mutated=mutated,
            origin=lambda: self.origin,
            # A tier that does not ask for each copy must not serve any.
            trusted_until=self.logs.live_until if self.unlogged is None else _never,
            rest_s=self._rest_s,
            copy_trusted_until=None if self.unlogged is None else self._copy_trusted_until,
        )

    def _copy_trusted_until(self, key: str, entry: Entry) -> float:
        return min(self.logs.live_until(), self.comparisons.trusted_until(key, entry))

    def lease_level(self, scope: Scope | None) -> Level | None:
        """The slowest level whose leases reach no further than `scope`; `None` for the default."""
        scope = self.options.single_flight.scope if scope is None else scope
        for level in reversed(self.levels):
            if level.leases is not None and (scope is None or level.reach.value <= scope.value):
                return level
        return None

    def window_s(self, lifetime_s: float, cost_s: float) -> float:
        """Seconds before a value's end in which the refresh policy wants to see its hits."""
        policy = self.options.refreshing
        if policy is None or lifetime_s == math.inf:
            return 0.0
        return self.decide(policy.window_s, lifetime_s, cost_s, otherwise=0.0)

    def stamp(self) -> float:
        """The wall clock, for a value written now; later than every earlier stamp.

        A clock that is set back by at most the skew allowance stands still instead. Set back by
        more, it makes earlier values count as of the future.
        """
        now_s = self.clock.wall()
        if now_s <= self._last_stamp_s <= now_s + SKEW_ALLOWANCE_S:
            now_s = self._last_stamp_s + _TICK_S
        self._last_stamp_s = now_s
        return now_s

    def decide(self, question: Callable[..., T], *facts: Any, otherwise: T) -> T:
        """The answer of a policy, or `otherwise` if it raises: law 1."""
        try:
            return question(*facts)
        except Exception as error:
            policy = self._policy_name(question)
            report = f"A policy failed, and its default applies: {policy}: {error!r}"
            self.faults.report("policy", type(error).__name__, report)
            return otherwise

    def _policy_name(self, question: Callable[..., object]) -> str:
        """The class of the policy with the method `question`."""
        owner = getattr(question, "__self__", None)
        if owner is None:
            return getattr(question, "__qualname__", repr(question))
        return type(self.options.writing if owner is self else owner).__qualname__

    def new_entry(
        self,
        key: str,
        value: object,
        terms: Terms,
        now_s: float,
        *,
        cost_s: float = 0.0,
        lead_s: float = 0.0,
        tags: Mapping[str, int] = NO_TAGS,
    ) -> Entry:
        """The entry of a value that is written now, with the lifetime that the expiry policies give.

        Raises:
            InvalidDurationError: The caller's function gave no lifetime.
            SerializationError: The value is single-use.
        """
        kind = SINGLE_USE.get(type(value))
        if kind is not None:
            msg = (
                f"{kind} can be used only once, so it can't be stored: store a list of its items, or "
                "the awaited result"
            )
            raise SerializationError(msg, key=key)
        lifetime_s = terms.lifetime_s
        if terms.lifetime_of is not None:
            lifetime_s = parse_lifetime(terms.lifetime_of(value))
        for policy in self.options.expiry:
            new = NewValue(key, value, lifetime_s, cost_s, now_s)
            decided = self.decide(policy.lifetime_s, new, otherwise=lifetime_s)
            lifetime_s = decided if decided > 0 else lifetime_s
        fresh_until_s = now_s + lifetime_s
        return Entry(
            value,
            created_s=now_s,
            fresh_until_s=fresh_until_s,
            stale_until_s=fresh_until_s + self.options.stale_for_s,
            cost_s=cost_s,
            lead_s=rounded_lead(lead_s) if lead_s else 0.0,
            tags=tags,
        )

    def plan_write(self, request: WriteRequest) -> WritePlan:
        """The write policy's plan, or a write to every tier if that plan is impossible."""
        if self._writes_everywhere:
            return self.everywhere
        return self.decide(self._plan_write, request, otherwise=self.everywhere)

    def plan_entry(
        self, key: str, entry: Entry, *, computed: bool, durability: Durability | None = None
    ) -> WritePlan:
        """The write policy's plan for an entry."""
        request = WriteRequest(
            key, entry.lifetime_s, entry.cost_s, computed, durability, entry.size_bytes
        )
        return self.plan_write(request)

    def admitted(self, key: str, entry: Entry, plan: WritePlan, *, computed: bool) -> WritePlan:
        """`plan` without the levels whose admission policy refuses the value."""
        if not self.measures:
            return plan

        def admitting(levels: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(
                index
                for index in levels
                if self.admits(self.levels[index], key, entry, entry.lifetime_s, filling=computed)
            )

        return plan._replace(now=admitting(plan.now), later=admitting(plan.later))

    def _plan_write(self, request: WriteRequest) -> WritePlan:
        plan = self.options.writing.plan(request, self.facts)
        if plan not in self._sound_plans:
            self._check_plan(plan)
            self._sound_plans.add(plan)
        return plan

    def _check_plan(self, plan: WritePlan) -> None:
        named = (*plan.now, *plan.later)
        if not set(named) <= set(range(len(self.levels))) or len(set(named)) < len(named):
            msg = f"{plan!r} names unknown or duplicate tiers: name each level at most once"
            raise ValueError(msg)
        if plan.later and not self.queues_writes:
            msg = f"{plan!r} defers writes, but {self.options.writing!r} has no queue: add `limits`"
            raise ValueError(msg)

    def admits(
        self, level: Level, key: str, entry: Entry, lifetime_s: float, *, filling: bool
    ) -> bool:
        """Whether a value may enter a tier. A refusal is counted."""
        if level.admission is None:
            return True
        candidate = Candidate(
            key, entry.size_bytes, entry.cost_s, lifetime_s, filling, level.read_s
        )
        if self.decide(level.admission.admit, candidate, level.facts, otherwise=True):
            return True
        level.recorder.count("not_admitted")
        return False

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


def _never() -> float:
    return -math.inf
