"""The driver of plans that only ask tiers and the journal, in the calling thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from tiered_cache._engine.drivers.base import BaseDriver
from tiered_cache._engine.effects import (
    OK,
    Clear,
    ClearJournal,
    ComputeFailedError,
    Delete,
    DeleteMany,
    Fence,
    ForgetJournal,
    Plan,
    Put,
    PutMany,
    Read,
    ReadHeads,
    ReadMany,
    Reply,
    Scan,
    WriteJournal,
)

if TYPE_CHECKING:
    from tiered_cache._engine.effects import Effect
    from tiered_cache._engine.stack import Stack

__all__ = ["TierDriver"]

T = TypeVar("T")


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
            Put: self._put,
            PutMany: self._put_many,
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

    def _put(self, effect: Put) -> Reply:
        index, key, item, counter = effect
        level = self._levels[index]
        reply = level.call("put", key, level.put, key, item)
        return level.finish_put(key, item, counter, reply)

    def _put_many(self, effect: PutMany) -> Reply:
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
