"""The driver of plans that only ask tiers and the journal, and the part common to all drivers."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, TypeVar

from tiered_cache._engine.effects import (
    FAILED,
    OK,
    SKIPPED,
    AwaitRoom,
    Clear,
    ClearJournal,
    Compute,
    Computed,
    ComputeFailedError,
    Delete,
    DeleteMany,
    Fence,
    ForgetJournal,
    Plan,
    Read,
    ReadHeads,
    ReadMany,
    Reply,
    Scan,
    Write,
    WriteJournal,
    WriteMany,
)
from tiered_cache.contracts import UNKNOWN, Absent, Found
from tiered_cache.errors import JournalError, QueueFullError
from tiered_cache.events import Event, EventKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tiered_cache._engine.effects import Effect
    from tiered_cache._engine.stack import Stack
    from tiered_cache.computation import Computation
    from tiered_cache.contracts import Journal

__all__ = ["ROOM_WAIT_S", "BaseDriver", "TierDriver"]

T = TypeVar("T")

ROOM_WAIT_S = 5.0
"""Seconds that a writer waits for room in the queue: law 8, nothing hangs."""


class BaseDriver:
    """The common part of drivers. Thread-safe: it holds no state of its own."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._queue = stack.queue
        self._held = stack.queue.held
        self._levels = stack.levels
        self._clock = stack.clock

    def skipped(self, reason: str) -> Reply:
        """The reply for a tier that was not asked."""
        return Reply(SKIPPED, None, 0.0, self._clock.wall(), reason)

    def queued(self, key: str, index: int) -> Found[Any] | Absent | None:
        """The answer of the write-back queue for a tier that has not got the change of `key` yet.

        `None` where the tier itself has to be asked.
        """
        pending = self._held.get(key)
        if pending is None or pending.unread or index not in pending.levels:
            return None
        # The tier may refuse the fill because the key has changed since: it is not an answer yet.
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
        """The queue's answers to a read, and the keys for which the tier has to be asked."""
        index, keys = effect
        queued: dict[str, Found[Any] | Absent] = {}
        if self._held:
            answers = ((key, self.queued(key, index)) for key in keys)
            queued = {key: answer for key, answer in answers if answer is not None}
            keys = [key for key in keys if key not in queued]
        return Reply(OK, queued, 0.0, self._clock.wall()), keys

    def no_room(self, effect: AwaitRoom) -> QueueFullError:
        """The error of a writer for which the queue had no room in time."""
        msg = (
            f"the write-back queue holds {len(self._queue)} keys and took no more for "
            f"{ROOM_WAIT_S:g} s: the slow tiers don't keep up or are away. Try again later, raise "
            "max_pending, or write with durability='remote'"
        )
        return QueueFullError(msg, operation="set", key=effect.key)

    def in_journal(self, action: Callable[[Journal], Any]) -> Reply:
        """The reply to an action on the journal."""
        started = time.perf_counter()
        status, value, reason = OK, None, ""
        try:
            value = action(self._stack.journal())
        except JournalError as error:
            status, reason = FAILED, error.message
            self._stack.faults.report("journal", "write", f"The journal failed: {error.message}")
        return Reply(status, value, time.perf_counter() - started, self._clock.wall(), reason)

    def failed(self, effect: Compute, started: float, error: BaseException) -> ComputeFailedError:
        """Count a computation that raised; the carrier of its exception."""
        self._count(effect.keys, time.perf_counter() - started, failed=True)
        return ComputeFailedError(error)

    def done(
        self,
        effect: Compute,
        result: object,
        began: tuple[float, float],
        computation: Computation,
    ) -> Computed:
        """Count a computation; the reply. To be called as soon as the function has returned.

        Args:
            effect: The effect.
            result: The function's return value.
            began: The instant of the call, by the wall clock and by `perf_counter`.
            computation: The function's own wishes for its result.
        """
        began_s, started = began
        seconds = time.perf_counter() - started
        self._count(effect.keys, seconds, failed=False)
        now_s = self._clock.wall()
        lead_s = max(seconds, now_s - began_s)
        return Computed(result, seconds, now_s, lead_s, len(effect.keys), computation)

    def _count(self, keys: Sequence[str], seconds: float, *, failed: bool) -> None:
        self._stack.count_computed(seconds, failed, keys)
        if self._stack.listeners.active:
            for key in keys:
                detail = "raised" if failed else ""
                event = Event(EventKind.COMPUTE, "", key, seconds / len(keys), 0, detail)
                self._stack.events.note(event)


class TierDriver(BaseDriver):
    """Runs plans on a stack, one effect after the other. Thread-safe: it holds no state.

    Workers use it as it is: their plans neither compute nor wait.
    """

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        self._performers: dict[type, Any] = {
            Read: self._read,
            ReadMany: self._read_many,
            ReadHeads: self._read_heads,
            Write: self._put,
            WriteMany: self._put_many,
            Delete: self._delete,
            DeleteMany: self._delete_many,
            Clear: self._clear,
            Fence: self._fence,
            Scan: self._scan,
            WriteJournal: self._write_journal,
            ClearJournal: self._clear_journal,
            ForgetJournal: self._forget_journal,
        }

    def run(self, plan: Plan[T]) -> T:
        """Run `plan` to its end; its result, or the exception of its computation."""
        performers = self._performers
        generator: Any = plan
        send = resume = generator.send
        reply: Any = None
        raised: BaseException
        while True:
            try:
                effect = resume(reply)
                resume = send
                reply = performers[effect.__class__](effect)
            except BaseException as error:
                if generator.gi_frame is not None:
                    # The plan goes on, or cleans up, whether the effect raised or Ctrl-C came
                    # between two effects.
                    resume, reply = generator.throw, error
                    continue
                # An exception must not be a local of a frame in its traceback: objects in such a
                # cycle, such as a lock in a context, are freed much later.
                reply = None
                if isinstance(error, StopIteration):
                    result: T = error.value
                    return result
                if not isinstance(error, ComputeFailedError):
                    raise
                raised = error.error
                break
        # Outside the handler: the caller gets the function's own exception, without a context.
        try:
            raise raised
        finally:
            del raised

    def perform(self, effect: Effect) -> Any:
        """Perform one effect; the reply."""
        return self._performers[effect.__class__](effect)

    def _read(self, effect: Read) -> Reply:
        index, key = effect
        if self._held and (queued := self.queued_reply(key, index)) is not None:
            return queued
        level = self._levels[index]
        return level.call("get", key, level.tier.get, key)

    def _read_many(self, effect: ReadMany) -> Reply:
        level = self._levels[effect.level]
        queued, keys = self.queued_replies(effect)
        if not keys:
            return queued
        reply = level.call("get_many", None, level.tier.get_many, keys)
        if queued.value and reply.status == OK:
            return reply._replace(value={**reply.value, **queued.value})
        return reply

    def _read_heads(self, effect: ReadHeads) -> Reply:
        level = self._levels[effect.level]
        return level.call("get_many", None, level.get_heads, effect.keys)

    def _put(self, effect: Write) -> Reply:
        index, key, item, counter = effect
        level = self._levels[index]
        reply = level.call("put", key, level.tier.put, key, item)
        return level.finish_put(key, item, counter, reply)

    def _put_many(self, effect: WriteMany) -> Reply:
        level = self._levels[effect.level]
        reply = level.call("put_many", None, level.tier.put_many, effect.items)
        return level.finish_put_many(effect.items, effect.counter, reply)

    def _delete(self, effect: Delete) -> Reply:
        index, key = effect
        level = self._levels[index]
        return level.finish_delete([key], level.call("delete", key, level.tier.delete, key))

    def _delete_many(self, effect: DeleteMany) -> Reply:
        index, keys = effect
        level = self._levels[index]
        reply = level.call("delete_many", None, level.tier.delete_many, keys)
        return level.finish_delete(keys, reply)

    def _clear(self, effect: Clear) -> Reply:
        level = self._levels[effect.level]
        reply = level.call("clear", None, level.clear, effect.prefix, effect.progress)
        return level.finish_clear(effect.prefix, reply)

    def _fence(self, effect: Fence) -> Reply:
        level = self._levels[effect.level]
        if level.fence is None:
            return self.skipped("the tier has no fence")
        return level.call("clear", None, level.fence, effect.prefix)

    def _scan(self, effect: Scan) -> Reply:
        level = self._levels[effect.level]
        return level.call("scan", None, lambda: list(level.tier.scan(effect.prefix)))

    def _write_journal(self, effect: WriteJournal) -> Reply:
        return self.in_journal(lambda journal: journal.write(effect.rows))

    def _forget_journal(self, effect: ForgetJournal) -> Reply:
        return self.in_journal(lambda journal: journal.forget(effect.rows))

    def _clear_journal(self, effect: ClearJournal) -> Reply:
        return self.in_journal(lambda journal: journal.clear(*effect))
