"""The synchronous driver: does what plans ask for, in the calling thread."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

from tiered_cache._engine.drivers.base import ROOM_WAIT_S, Performing
from tiered_cache._engine.effects import (
    OK,
    AcquireLease,
    AwaitFlight,
    AwaitLease,
    AwaitRoom,
    AwaitWritten,
    CatchUp,
    Clear,
    ClearJournal,
    Compute,
    Computed,
    ComputeFailedError,
    Delete,
    DeleteMany,
    Fence,
    ForgetJournal,
    Lead,
    Plan,
    Put,
    PutMany,
    Read,
    ReadHeads,
    ReadMany,
    Refresh,
    RefreshMany,
    ReleaseLease,
    Reply,
    Scan,
    WriteJournal,
    WriteJournalMany,
)
from tiered_cache._engine.state.flights import leading
from tiered_cache.computation import Computation, under_way

if TYPE_CHECKING:
    from tiered_cache._engine.effects import Effect
    from tiered_cache._engine.stack import Stack

__all__ = ["SyncDriver"]

T = TypeVar("T")


class SyncDriver(Performing):
    """Runs plans on a stack, one effect after the other. Thread-safe: it holds no state."""

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
            AcquireLease: self._acquire_lease,
            ReleaseLease: self._release_lease,
            Lead: _go_on,
            AwaitFlight: self._await_flight,
            AwaitLease: self._await_lease,
            AwaitRoom: self._await_room,
            AwaitWritten: self._await_written,
            CatchUp: self._catch_up,
            WriteJournal: self._write_journal,
            WriteJournalMany: self._write_journal_many,
            ClearJournal: self._clear_journal,
            ForgetJournal: self._forget_journal,
            Refresh: self._refresh,
            RefreshMany: self._refresh_many,
            Compute: self._compute,
        }

    def run(self, plan: Plan[T]) -> T:
        """Run `plan` to its end; its result, or what its computation raised."""
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
                # An exception must not be a local of a frame that is in its traceback: what such a
                # circle holds, a lock in a context say, is let go much later.
                reply = None
                if isinstance(error, StopIteration):
                    result: T = error.value
                    return result
                if not isinstance(error, ComputeFailedError):
                    raise
                raised = error.error
                break
        # Outside the handler: the caller is to see the function's own exception, as it was.
        try:
            raise raised
        finally:
            del raised

    def perform(self, effect: Effect) -> Any:
        """Do what one effect asks for; the reply."""
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
            reply.value = {**reply.value, **queued.value}
        return reply

    def _read_heads(self, effect: ReadHeads) -> Reply:
        level = self._levels[effect.level]
        return level.call("get_many", None, level.get_heads, effect.keys)

    def _put(self, effect: Put) -> Reply:
        index, key, item, _ = effect
        level = self._levels[index]
        return self.put_done(effect, level.call("put", key, level.put, key, item))

    def _put_many(self, effect: PutMany) -> Reply:
        level = self._levels[effect.level]
        reply = level.call("put_many", None, level.tier.put_many, effect.items)
        return self.put_many_done(effect, reply)

    def _delete(self, effect: Delete) -> Reply:
        level = self._levels[effect.level]
        return self.deleted(effect, level.call("delete", effect.key, level.tier.delete, effect.key))

    def _delete_many(self, effect: DeleteMany) -> Reply:
        level = self._levels[effect.level]
        reply = level.call("delete_many", None, level.tier.delete_many, effect.keys)
        return self.deleted(effect, reply)

    def _clear(self, effect: Clear) -> Reply:
        level = self._levels[effect.level]
        reply = level.call("clear", None, level.clear, effect.prefix, effect.progress)
        return self.cleared(effect, reply)

    def _fence(self, effect: Fence) -> Reply:
        level = self._levels[effect.level]
        if level.fence is None:
            return self.skipped("the tier has no fence")
        return level.call("clear", None, level.fence, effect.prefix)

    def _scan(self, effect: Scan) -> Reply:
        level = self._levels[effect.level]
        return level.call("scan", None, lambda: list(level.tier.scan(effect.prefix)))

    def _await_room(self, effect: AwaitRoom) -> None:
        if not self._queue.wait_for_room(effect.key, ROOM_WAIT_S, effect.more):
            raise self.no_room(effect)

    def _await_flight(self, effect: AwaitFlight) -> bool:
        over = threading.Event()
        effect.flight.when_over(over.set)
        try:
            return over.wait(None if effect.timeout_s == math.inf else effect.timeout_s)
        finally:
            effect.flight.forget(over.set)

    def _acquire_lease(self, effect: AcquireLease) -> Reply:
        index, key, owner, lifetime_s = effect
        level = self._levels[index]
        leases = level.leases
        if leases is None:
            return self.skipped("the tier has no leases")
        reply = level.call("acquire_lease", key, leases.acquire, key, owner, lifetime_s)
        return self.acquired(effect, reply)

    def _release_lease(self, effect: ReleaseLease) -> None:
        level = self._levels[effect.level]
        self._stack.renewer.drop(effect.owner)
        if level.leases is not None:
            level.call("release_lease", effect.key, level.leases.release, effect.key, effect.owner)

    def _await_lease(self, effect: AwaitLease) -> Reply:
        index, key, seen, timeout_s = effect
        level = self._levels[index]
        if level.leases is None:
            return self.skipped("the tier has no leases")
        return level.call("await_lease", key, level.leases.wait, key, seen, timeout_s)

    def _catch_up(self, _: CatchUp) -> int:
        return self._stack.following.catch_up()

    def _await_written(self, effect: AwaitWritten) -> None:
        self._queue.wait_until_written(effect.prefix, ROOM_WAIT_S)

    def _write_journal(self, effect: WriteJournal) -> Reply:
        return self.in_journal(lambda journal: journal.write(*effect))

    def _write_journal_many(self, effect: WriteJournalMany) -> Reply:
        return self.in_journal(lambda journal: journal.write_many(effect.rows))

    def _forget_journal(self, effect: ForgetJournal) -> Reply:
        return self.in_journal(lambda journal: journal.forget(effect.rows))

    def _clear_journal(self, effect: ClearJournal) -> Reply:
        return self.in_journal(lambda journal: journal.clear(*effect))

    def _refresh(self, effect: Refresh) -> None:
        self._stack.refresh(effect)

    def _refresh_many(self, effect: RefreshMany) -> None:
        self._stack.refresh_many(effect)

    def _compute(self, effect: Compute) -> Computed:
        # In place: an interruption comes where a function begins.
        computation = Computation()
        token = under_way.set(computation)
        led = leading.set((*leading.get(), *effect.flights))
        began = (self._clock.wall(), time.perf_counter())
        try:
            result = effect.function()
        except BaseException as error:
            raise self.failed(effect, began[1], error) from None
        finally:
            leading.reset(led)
            under_way.reset(token)
        return self.done(effect, result, began, computation)


def _go_on(_: Lead) -> None:
    """Nobody cancels a thread."""
