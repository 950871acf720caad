"""What drivers share: what becomes of an effect, once a tier or a function has answered."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from tiered_cache._engine.effects import (
    FAILED,
    OK,
    REFUSED,
    SKIPPED,
    AcquireLease,
    AwaitRoom,
    Clear,
    Compute,
    Computed,
    ComputeFailedError,
    Delete,
    DeleteMany,
    Put,
    PutMany,
    ReadMany,
    Reply,
)
from tiered_cache._engine.finding import UNKNOWN
from tiered_cache.contracts import Absent, Found
from tiered_cache.errors import JournalError, QueueFullError
from tiered_cache.events import Event, EventKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tiered_cache._engine.level import Level
    from tiered_cache._engine.stack import Stack
    from tiered_cache.computation import Computation
    from tiered_cache.contracts import Journal, PutItem

__all__ = ["ROOM_WAIT_S", "Performing"]

ROOM_WAIT_S = 5.0
"""How long a writer waits for room in the queue: law 8, nothing hangs."""


class Performing:
    """The part of a driver that neither waits nor asks a tier. Thread-safe: it holds no state."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._queue = stack.queue
        self._held = stack.queue.held
        self._levels = stack.levels
        self._clock = stack.clock
        self._note = stack.note
        self._listeners = stack.listeners
        self._count_computed = stack.count_computed

    def skipped(self, reason: str) -> Reply:
        """The reply for a tier that was not asked."""
        return Reply(SKIPPED, None, 0.0, self._clock.wall(), reason)

    def queued(self, key: str, index: int) -> Found | Absent | None:
        """What a tier will hold for a key once the queue has been written, if that will change it."""
        pending = self._held.get(key)
        if pending is None or pending.unread or index not in pending.levels:
            return None
        # A fill may be refused by the tier, when something has changed since: it is no answer yet.
        if pending.tokens is not None:
            return None
        entry = pending.entry
        if entry is None:
            return Absent(UNKNOWN)
        records = pending.records
        item = entry if records is None else records.settled_for(self._levels[index])
        return Found(item, math.inf, UNKNOWN)

    def queued_reply(self, key: str, index: int) -> Reply | None:
        """The reply to a read that the queue answers."""
        answer = self.queued(key, index) if self._held else None
        return None if answer is None else Reply(OK, answer, 0.0, self._clock.wall())

    def queued_replies(self, effect: ReadMany) -> tuple[Reply, Sequence[str]]:
        """What the queue answers of a read, and the keys that the tier is to be asked for."""
        index, keys = effect
        queued: dict[str, Found | Absent] = {}
        if self._held:
            answers = ((key, self.queued(key, index)) for key in keys)
            queued = {key: answer for key, answer in answers if answer is not None}
            keys = [key for key in keys if key not in queued]
        return Reply(OK, queued, 0.0, self._clock.wall()), keys

    def put_done(self, effect: Put, reply: Reply) -> Reply:
        """The reply to a `Put`, counted."""
        index, key, item, counter = effect
        if reply.status == OK and not reply.value:
            reply.status, reply.reason = REFUSED, "the key was changed meanwhile"
        self._wrote(self._levels[index], key, item, counter, reply)
        return reply

    def put_many_done(self, effect: PutMany, reply: Reply) -> Reply:
        """The reply to a `PutMany`, counted."""
        level = self._levels[effect.level]
        each = Reply(reply.status, None, reply.seconds / max(1, len(effect.items)), reply.now_s)
        refused = Reply(REFUSED, None, each.seconds, reply.now_s)
        for key, item in effect.items.items():
            landed = reply.status != OK or key in reply.value
            self._wrote(level, key, item, effect.counter, each if landed else refused)
        return reply

    def _wrote(self, level: Level, key: str, item: PutItem, counter: str, reply: Reply) -> None:
        if reply.status != OK:
            outcome = "write_refusals" if reply.status == REFUSED else "write_errors"
            level.recorder.wrote(outcome, reply.seconds, 0)
            return
        value = item.item
        size = len(value) if isinstance(value, bytes) else value.size_bytes
        level.recorder.wrote(counter, reply.seconds, size)
        if self._listeners.active:
            kind = EventKind.PROMOTION if counter == "promotions" else EventKind.WRITE
            self._note(Event(kind, level.name, key, reply.seconds, size))

    def deleted(self, effect: Delete | DeleteMany, reply: Reply) -> Reply:
        """The reply to a deletion, counted."""
        level = self._levels[effect.level]
        keys = [effect.key] if isinstance(effect, Delete) else effect.keys
        outcome = "deletes" if reply.status == OK else "write_errors"
        for key in keys:
            level.recorder.wrote(outcome, reply.seconds / len(keys), 0)
            if reply.status == OK:
                self._note(Event(EventKind.DELETE, level.name, key, reply.seconds / len(keys)))
        return reply

    def cleared(self, effect: Clear, reply: Reply) -> Reply:
        """The reply to a `Clear`, told."""
        if reply.status == OK:
            name = self._levels[effect.level].name
            self._note(Event(EventKind.DELETE, name, effect.prefix, reply.seconds, 0, "clear"))
        return reply

    def acquired(self, effect: AcquireLease, reply: Reply) -> Reply:
        """The reply to a request for a lease, which is renewed from now on if it was granted."""
        index, key, owner, lifetime_s = effect
        if reply.status == OK and reply.value.granted:
            self._stack.renewer.hold(owner, self._levels[index], key, lifetime_s)
        return reply

    def no_room(self, effect: AwaitRoom) -> QueueFullError:
        """What is raised where the queue had no room in time."""
        msg = (
            f"the write-back queue holds {len(self._queue)} keys and took no more for "
            f"{ROOM_WAIT_S:g} s: the slow tiers don't keep up or are away. Try again later, raise "
            "max_pending, or write with durability='remote'"
        )
        return QueueFullError(msg, operation="set", key=effect.key)

    def in_journal(self, action: Callable[[Journal], Any]) -> Reply:
        """The reply to what `action` does in the journal."""
        started = time.perf_counter()
        status, value, reason = OK, None, ""
        try:
            value = action(self._stack.journal())
        except JournalError as error:
            status, reason = FAILED, error.message
            self._stack.faults.report("journal", "write", f"The journal failed: {error.message}")
        return Reply(status, value, time.perf_counter() - started, self._clock.wall(), reason)

    def computed(self, keys: Sequence[str], seconds: float, *, failed: bool) -> None:
        """Count a computation, and tell of it."""
        self._count_computed(seconds, failed, keys)
        if self._listeners.active:
            for key in keys:
                detail = "raised" if failed else ""
                self._note(Event(EventKind.COMPUTE, "", key, seconds / len(keys), 0, detail))

    def failed(self, effect: Compute, started: float, error: BaseException) -> ComputeFailedError:
        """What carries what a function raised, counted."""
        self.computed(effect.keys, time.perf_counter() - started, failed=True)
        return ComputeFailedError(error)

    def done(
        self,
        effect: Compute,
        result: object,
        began: tuple[float, float],
        computation: Computation,
    ) -> Computed:
        """The reply to a computation, as soon as the function has returned; counted.

        Args:
            effect: What was asked for.
            result: What the function returned.
            began: When it was called, by the wall clock and by `perf_counter`.
            computation: What it said of its result.
        """
        began_s, started = began
        seconds = time.perf_counter() - started
        self.computed(effect.keys, seconds, failed=False)
        now_s = self._clock.wall()
        lead_s = max(seconds, now_s - began_s)
        return Computed(result, seconds, now_s, lead_s, len(effect.keys), computation)
