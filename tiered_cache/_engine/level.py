"""A level: one tier in its place in a stack, guarded by a breaker, counted, and never raising."""

from __future__ import annotations

import math
from collections import deque
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING, Any

from tiered_cache._engine.effects import FAILED, OK, REFUSED, SKIPPED, UNREADABLE, Reply
from tiered_cache._engine.state.breaker import Breaker, BreakerState
from tiered_cache._engine.state.outdated_keys import OutdatedKeys
from tiered_cache._engine.state.tier_answers import ANSWERS, fault_of
from tiered_cache.contracts import Reach, TierInfo
from tiered_cache.errors import (
    ConfigurationError,
    RecordError,
    RecordRefusedError,
    TierUnavailableError,
)
from tiered_cache.events import Event, EventKind
from tiered_cache.results import TierWrite, WriteOutcome
from tiered_cache_policies.contracts import TierFacts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from tiered_cache._engine.effects import Progress
    from tiered_cache._engine.state.fault_log import FaultLog
    from tiered_cache._engine.state.pending_events import PendingEvents
    from tiered_cache.clock import Clock
    from tiered_cache.contracts import Put, Recorder, Tier, TierContext
    from tiered_cache.entry import Entry
    from tiered_cache.results import LookupStatus
    from tiered_cache_policies.contracts import AdmissionPolicy, Node

__all__ = ["Level"]

CLOSED = BreakerState.CLOSED
_LEARNED = 0.05
"""The weight of the latest read in the average, which is that of some forty reads."""

_CHANGES = 20
"""How many of a breaker's latest changes are kept."""

_READS = ("get", "get_many")
"""Operations whose faults the plans report to the listeners, as the outcome of a lookup."""

_NEVER_STORED = "a key that is never stored"


class Level:
    """One tier of a stack.

    Every call passes the breaker and returns a `Reply`: law 1, a fault of a tier never reaches the
    caller, unless the stack is strict.

    Args:
        index: Its place, 0 for the fastest.
        tier: The tier.
        recorder: Counts its operations.
        clock: The time.
        faults: The log of faults.
        events: Takes events.
        failures_to_open: Faults in a row that open the breaker.
        probe_interval_s: Seconds that the breaker stays open before a probe.
        strict: Raise faults instead of reporting them.
        admission: Decides which values may enter the tier; `None` admits all.
        longest_s: The longest that the tier keeps a value fresh.
    """

    def __init__(
        self,
        index: int,
        tier: Tier[Any],
        recorder: Recorder,
        *,
        clock: Clock,
        faults: FaultLog,
        events: PendingEvents,
        failures_to_open: int,
        probe_interval_s: float,
        strict: bool,
        admission: AdmissionPolicy | None = None,
        longest_s: float = math.inf,
    ) -> None:
        self.index = index
        self.admission = admission
        self.longest_s = longest_s
        self.read_s = 0.0
        """Seconds of a read at present: a moving average."""
        self.tier = tier
        self.name = tier.name
        self.reach = tier.reach
        self.recorder = recorder
        self._looked_up = recorder.looked_up
        self.holds_records = tier.holds_records
        self.offers = offers = tier.offers
        self.facts = TierFacts(
            name=tier.name,
            level=index,
            durable=offers.durable,
            shared=tier.reach is Reach.CLUSTER,
        )
        self.fence = offers.fence
        self.leases = offers.leases
        self.log = offers.change_log
        self.max_item_bytes = offers.max_item_bytes
        live = offers.live
        self.live: Mapping[str, Node] = {} if live is None else live.nodes
        self.is_live = live is not None and live.counts_hits
        self.live_token = _no_token if live is None else live.token
        self.get_heads = offers.heads or tier.get_many
        self.written = TierWrite(tier.name, WriteOutcome.WRITTEN)
        self.queued = TierWrite(tier.name, WriteOutcome.QUEUED)
        self.outdated = OutdatedKeys()
        self.outdated_keys = self.outdated.keys
        self.breaker = Breaker(
            failures_to_open, probe_interval_s, clock.monotonic, self._breaker_changed
        )
        self.breaker_changes: deque[tuple[float, str]] = deque(maxlen=_CHANGES)
        """The latest changes of the breaker, as (wall clock, state)."""
        self.fault = ""
        self._wall = clock.wall
        self._faults = faults
        self._note = events.note
        self._listeners = events.listeners
        self._strict = strict
        self._context: TierContext | None = None
        self._opened = False

    def open(self, context: TierContext, *, required: bool) -> None:
        """Open the tier. One that is unavailable is asked again later, unless it is required."""
        self._context = context
        try:
            self.tier.open(context)
        except ConfigurationError:
            raise
        except TierUnavailableError as error:
            if required:
                raise
            self.fault = error.message
            self.breaker.trip()
            self.breaker_changes.append((self._wall(), BreakerState.OPEN.value))
            self._faults.report(
                self.name,
                "open",
                f"Tier {self.name!r} is unavailable; the cache starts without it and retries it "
                f"later: {error.message}",
            )
        else:
            self._opened = True

    def call(
        self, operation: str, key: str | None, function: Callable[..., Any], *args: Any
    ) -> Reply:
        """The reply to one call of a method of the tier."""
        breaker = self.breaker
        if breaker.state is not CLOSED and not breaker.allows():
            return self._not_asked(operation, key, self._wall())
        started = perf_counter()
        try:
            if not self._opened:
                self._reopen()
            value = function(*args)
        except Exception as error:
            return self._fault(operation, key, error, perf_counter() - started)
        seconds = perf_counter() - started
        if breaker.failing:
            breaker.succeeded()
        expected = ANSWERS.get(operation)
        if expected is not None and type(value) not in expected:
            return self._unusual(operation, value, seconds)
        return Reply(OK, value, seconds, self._wall())

    async def await_call(
        self, operation: str, key: str | None, function: Callable[..., Awaitable[Any]], *args: Any
    ) -> Reply:
        """The reply to one call of an awaited method, of a tier that is open."""
        breaker = self.breaker
        if breaker.state is not CLOSED and not breaker.allows():
            return self._not_asked(operation, key, self._wall())
        started = perf_counter()
        try:
            value = await function(*args)
        except Exception as error:
            return self._fault(operation, key, error, perf_counter() - started)
        seconds = perf_counter() - started
        if breaker.failing:
            breaker.succeeded()
        expected = ANSWERS.get(operation)
        if expected is not None and type(value) not in expected:
            return self._unusual(operation, value, seconds)
        return Reply(OK, value, seconds, self._wall())

    @property
    def is_open(self) -> bool:
        """Whether the tier has been opened, so that a call need not open it first."""
        return self._opened

    def looked_up(
        self, status: LookupStatus, seconds: float, size_bytes: int, saved_s: float
    ) -> None:
        """Count a lookup and update the average duration of a read."""
        if seconds:
            average_s = self.read_s
            self.read_s = average_s + (seconds - average_s) * _LEARNED if average_s else seconds
        self._looked_up(status, seconds, size_bytes, saved_s)

    def finish_put(self, key: str, item: Put[Any], counter: str, reply: Reply) -> Reply:
        """Count the write of one key; the reply, as a refusal where the tier did not store it."""
        if reply.status == OK and not reply.value:
            reply = reply._replace(status=REFUSED, reason="the key was changed meanwhile")
        self._wrote(key, item, counter, reply)
        return reply

    def finish_put_many(self, items: Mapping[str, Put[Any]], counter: str, reply: Reply) -> Reply:
        """Count the write of several keys; the reply as it is."""
        each = reply._replace(seconds=reply.seconds / max(1, len(items)))
        refused = each._replace(status=REFUSED)
        for key, item in items.items():
            landed = reply.status != OK or key in reply.value
            self._wrote(key, item, counter, each if landed else refused)
        return reply

    def _wrote(self, key: str, item: Put[Any], counter: str, reply: Reply) -> None:
        if reply.status != OK:
            outcome = "write_refusals" if reply.status == REFUSED else "write_errors"
            self.recorder.wrote(outcome, reply.seconds, 0)
            return
        value = item.item
        size = len(value) if isinstance(value, bytes) else value.size_bytes
        self.recorder.wrote(counter, reply.seconds, size)
        if self._listeners.active:
            kind = EventKind.PROMOTION if counter == "promotions" else EventKind.WRITE
            self._note(Event(kind, self.name, key, reply.seconds, size))

    def finish_delete(self, keys: Sequence[str], reply: Reply) -> Reply:
        """Count the deletion of `keys`; the reply as it is."""
        outcome = "deletes" if reply.status == OK else "write_errors"
        seconds = reply.seconds / max(1, len(keys))
        for key in keys:
            self.recorder.wrote(outcome, seconds, 0)
            if reply.status == OK and self._listeners.active:
                self._note(Event(EventKind.DELETE, self.name, key, seconds))
        return reply

    def finish_clear(self, prefix: str, reply: Reply) -> Reply:
        """Tell the listeners of a clear; the reply as it is."""
        if reply.status == OK:
            self._note(Event(EventKind.DELETE, self.name, prefix, reply.seconds, 0, "clear"))
        return reply

    def capped(self, lifetime_s: float, entry: Entry) -> float:
        """A lifetime of an entry, no longer than the tier may keep it."""
        longest_s = self.longest_s
        return lifetime_s if longest_s == math.inf else min(lifetime_s, longest_s + entry.grace_s)

    def report_refused(self, reason: str) -> None:
        """Count and log a value that the tier can't take."""
        self.recorder.wrote("write_refusals", 0.0, 0)
        message = f"Tier {self.name!r} does not take a value: {reason}"
        self._faults.report(self.name, "refused", message)

    def clear(self, prefix: str, progress: Progress | None) -> int | None:
        """Remove all keys with a prefix from the tier, and report progress."""
        name, tier = self.name, self.tier
        if progress is None:
            return tier.clear(prefix)
        if self.offers.steps is not None:
            return self.offers.steps(prefix, lambda count: progress(name, count))
        count = tier.clear(prefix)
        progress(name, count or 0)
        return count

    def walk(self, prefix: str) -> Iterator[str]:
        """The tier's keys that begin with `prefix`; ends early where the tier fails."""
        if not self.breaker.allows():
            return
        try:
            if not self._opened:
                self._reopen()
            yield from self.tier.scan(prefix)
        except Exception as error:
            self._failed("scan", None, error)
            if self._strict:
                raise
        else:
            self.breaker.succeeded()

    def probe(self) -> None:
        """Look up a key once the breaker allows it, to find out whether the tier is back.

        A lookup, because the tier has to ask its store for it.
        """
        if self.breaker.state is not CLOSED:
            with suppress(TierUnavailableError):  # raised in a strict stack
                self.call("get", None, self.tier.get, _NEVER_STORED)

    def info(self) -> TierInfo:
        """The tier's own figures while its breaker is closed. Never raises.

        They prove nothing about the tier's health: it need not have asked its store.
        """
        if self.breaker.state is not CLOSED:
            return TierInfo()
        try:
            return self.tier.info()
        except Exception as error:
            kind = type(error).__name__
            message = f"Tier {self.name!r} can't report its size: {kind}: {error}"
            self._faults.report(self.name, f"info:{kind}", message)
            return TierInfo()

    def _not_asked(self, operation: str, key: str | None, now_s: float) -> Reply:
        reason = f"the breaker is open: {self.fault}"
        if self._strict:
            raise TierUnavailableError(reason, tier=self.name, operation=operation, key=key)
        return Reply(SKIPPED, None, 0.0, now_s, reason)

    def _unusual(self, operation: str, value: object, seconds: float) -> Reply:
        """The reply for an answer of an unusual type: a failure, unless it can be used all the same."""
        fault = fault_of(operation, value)
        if not fault:
            return Reply(OK, value, seconds, self._wall())
        self._faults.report(self.name, f"{operation}:answer", f"Tier {self.name!r}: {fault}")
        return Reply(FAILED, None, seconds, self._wall(), fault)

    def _reopen(self) -> None:
        if self._context is not None:
            self.tier.open(self._context)
        self._opened = True

    def _fault(self, operation: str, key: str | None, error: Exception, seconds: float) -> Reply:
        status = self._failed(operation, key, error)
        if self._strict and isinstance(error, TierUnavailableError):
            raise error
        return Reply(status, None, seconds, self._wall(), f"{type(error).__name__}: {error}")

    def _failed(self, operation: str, key: str | None, error: Exception) -> str:
        """Count a fault against the whole tier, or against one record only."""
        if isinstance(error, RecordRefusedError | RecordError):
            self.breaker.succeeded()
            status = REFUSED if isinstance(error, RecordRefusedError) else UNREADABLE
        elif isinstance(error, OSError):
            status = FAILED
            self.fault = str(error)
            self.breaker.failed()
        else:
            # A bug in a tier, or a payload that triggers one: no reason to stop asking the tier.
            status = FAILED
            self.breaker.succeeded()
        self._faults.report(
            self.name,
            f"{operation}:{type(error).__name__}",
            f"Tier {self.name!r}: {operation} {status}: {type(error).__name__}: {error}",
        )
        if operation not in _READS:
            event = Event(EventKind.ERROR, self.name, key or "", 0.0, 0, f"{operation} {status}")
            self._note(event)
        return status

    def _breaker_changed(self, state: BreakerState) -> None:
        self.breaker_changes.append((self._wall(), state.value))
        if state is BreakerState.CLOSED:
            self.fault = ""
        self._note(Event(EventKind.BREAKER, self.name, "", 0.0, 0, state.value))


def _no_token(key: str) -> object:
    raise NotImplementedError(key)
