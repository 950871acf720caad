"""The synchronous driver: does what plans ask for, in the calling thread."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

from tiered_cache._engine.effects import (
    OK,
    REFUSED,
    Clear,
    Compute,
    ComputeFailedError,
    Delete,
    DeleteMany,
    Effect,
    Plan,
    Put,
    PutMany,
    Read,
    ReadMany,
    Reply,
)
from tiered_cache.events import Event, EventKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache._engine.level import Level
    from tiered_cache._engine.stack import Stack
    from tiered_cache.contracts import PutItem

__all__ = ["SyncDriver"]

T = TypeVar("T")


class SyncDriver:
    """Runs plans on a stack, one effect after the other. Thread-safe: it holds no state."""

    def __init__(self, stack: Stack) -> None:
        self._levels = stack.levels
        self._clock = stack.clock
        self._note = stack.note
        self._listeners = stack.listeners
        self._count_computed = stack.count_computed
        self._performers = {
            Read: self._read,
            ReadMany: self._read_many,
            Put: self._put,
            PutMany: self._put_many,
            Delete: self._delete,
            DeleteMany: self._delete_many,
            Clear: self._clear,
            Compute: self._compute,
        }

    def run(self, plan: Plan[T]) -> T:
        """Run `plan` to its end; its result, or what its computation raised."""
        performers: dict[type, Any] = self._performers
        send = plan.send
        raised: BaseException
        try:
            effect: Effect = next(plan)
            while True:
                try:
                    reply = performers[effect.__class__](effect)
                except BaseException as error:
                    effect = plan.throw(error)
                else:
                    effect = send(reply)
        except StopIteration as stop:
            result: T = stop.value
            return result
        except ComputeFailedError as failed:
            raised = failed.error
        # Outside the handler: the caller is to see the function's own exception, as it was.
        raise raised

    def _read(self, effect: Read) -> Reply:
        level = self._levels[effect.level]
        return level.call("get", effect.key, level.tier.get, effect.key)

    def _read_many(self, effect: ReadMany) -> Reply:
        level = self._levels[effect.level]
        return level.call("get_many", None, level.tier.get_many, effect.keys)

    def _put(self, effect: Put) -> Reply:
        index, key, item, counter = effect
        level = self._levels[index]
        reply = level.call("put", key, level.put, key, item)
        if reply.status == OK and not reply.value:
            reply.status, reply.reason = REFUSED, "the key was changed meanwhile"
        self._wrote(level, key, item, counter, reply)
        return reply

    def _put_many(self, effect: PutMany) -> Reply:
        level = self._levels[effect.level]
        reply = level.call("put_many", None, level.tier.put_many, effect.items)
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

    def _delete(self, effect: Delete) -> Reply:
        level = self._levels[effect.level]
        reply = level.call("delete", effect.key, level.tier.delete, effect.key)
        self._deleted(level, [effect.key], reply)
        return reply

    def _delete_many(self, effect: DeleteMany) -> Reply:
        level = self._levels[effect.level]
        reply = level.call("delete_many", None, level.tier.delete_many, effect.keys)
        self._deleted(level, effect.keys, reply)
        return reply

    def _deleted(self, level: Level, keys: Any, reply: Reply) -> None:
        outcome = "deletes" if reply.status == OK else "write_errors"
        for key in keys:
            level.recorder.wrote(outcome, reply.seconds / len(keys), 0)
            if reply.status == OK:
                self._note(Event(EventKind.DELETE, level.name, key, reply.seconds / len(keys)))

    def _clear(self, effect: Clear) -> Reply:
        level = self._levels[effect.level]
        reply = level.call("clear", None, level.tier.clear, effect.prefix)
        if reply.status == OK:
            self._note(
                Event(EventKind.DELETE, level.name, effect.prefix, reply.seconds, 0, "clear")
            )
        return reply

    def _compute(self, effect: Compute) -> tuple[Any, float, float]:
        function, keys = effect
        started = time.perf_counter()
        try:
            result = function()
        except BaseException as error:
            self._computed(keys, time.perf_counter() - started, failed=True)
            raise ComputeFailedError(error) from None
        seconds = time.perf_counter() - started
        self._computed(keys, seconds, failed=False)
        return result, seconds, self._clock.wall()

    def _computed(self, keys: Sequence[str], seconds: float, *, failed: bool) -> None:
        self._count_computed(seconds, failed)
        if self._listeners.active:
            for key in keys:
                detail = "raised" if failed else ""
                self._note(Event(EventKind.COMPUTE, "", key, seconds / len(keys), 0, detail))
