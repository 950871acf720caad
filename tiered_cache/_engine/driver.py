"""The synchronous driver: does what plans ask for, in the calling thread."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

from tiered_cache._engine.effects import (
    FAILED,
    OK,
    REFUSED,
    SKIPPED,
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
from tiered_cache._engine.findings import UNKNOWN
from tiered_cache._engine.flights import leading
from tiered_cache.computation import Computation, under_way
from tiered_cache.contracts import Absent, Found
from tiered_cache.errors import JournalError, QueueFullError
from tiered_cache.events import Event, EventKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tiered_cache._engine.level import Level
    from tiered_cache._engine.stack import Stack
    from tiered_cache.contracts import Journal, PutItem

__all__ = ["SyncDriver"]

_ROOM_WAIT_S = 5.0
"""How long a writer waits for room in the queue: law 8, nothing hangs."""

T = TypeVar("T")


class SyncDriver:
    """Runs plans on a stack, one effect after the other. Thread-safe: it holds no state."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._queue = stack.queue
        self._held = stack.queue.held
        self._levels = stack.levels
        self._clock = stack.clock
        self._note = stack.note
        self._listeners = stack.listeners
        self._count_computed = stack.count_computed
        self._performers = {
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
        performers: dict[type, Any] = self._performers
        generator: Any = plan
        send = generator.send
        reply: Any = None
        interrupted: BaseException | None = None
        raised: BaseException
        while True:
            try:
                effect = send(reply) if interrupted is None else generator.throw(interrupted)
                interrupted = None
                reply = performers[effect.__class__](effect)
            except BaseException as error:
                if generator.gi_frame is not None:
                    # The plan goes on, or cleans up, whether the effect raised or Ctrl-C came
                    # between two effects.
                    interrupted = error
                    continue
                # An exception must not be a local of a frame that is in its traceback: what such a
                # circle holds, a lock in a context say, is let go much later.
                interrupted = None
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

    def _read(self, effect: Read) -> Reply:
        level = self._levels[effect.level]
        if self._held and (answer := self._queued(effect.key, effect.level)) is not None:
            return Reply(OK, answer, 0.0, self._clock.wall())
        return level.call("get", effect.key, level.tier.get, effect.key)

    def _read_many(self, effect: ReadMany) -> Reply:
        index, keys = effect
        level = self._levels[index]
        queued: dict[str, Found | Absent] = {}
        if self._held:
            answers = ((key, self._queued(key, index)) for key in keys)
            queued = {key: answer for key, answer in answers if answer is not None}
            keys = [key for key in keys if key not in queued]
            if not keys:
                return Reply(OK, queued, 0.0, self._clock.wall())
        reply = level.call("get_many", None, level.tier.get_many, keys)
        if queued and reply.status == OK:
            reply.value = {**reply.value, **queued}
        return reply

    def _read_heads(self, effect: ReadHeads) -> Reply:
        level = self._levels[effect.level]
        return level.call("get_many", None, level.get_heads, effect.keys)

    def _queued(self, key: str, index: int) -> Found | Absent | None:
        """What a tier will hold for a key once the queue has been written, if that will change it."""
        pending = self._held.get(key)
        # A fill may be refused by the tier, when something has changed since: it is no answer yet.
        if pending is None or pending.tokens is not None or index not in pending.levels:
            return None
        if pending.entry is None:
            return Absent(UNKNOWN)
        records = pending.records
        item = pending.entry if records is None else records.settled_for(self._levels[index])
        return Found(item, math.inf, UNKNOWN)

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
        reply = level.call("clear", None, level.clear, effect.prefix, effect.progress)
        if reply.status == OK:
            self._note(
                Event(EventKind.DELETE, level.name, effect.prefix, reply.seconds, 0, "clear")
            )
        return reply

    def _fence(self, effect: Fence) -> Reply:
        level = self._levels[effect.level]
        if level.fence is None:
            return Reply(SKIPPED, None, 0.0, self._clock.wall(), "the tier has no fence")
        return level.call("clear", None, level.fence, effect.prefix)

    def _scan(self, effect: Scan) -> Reply:
        level = self._levels[effect.level]
        return level.call("scan", None, lambda: list(level.tier.scan(effect.prefix)))

    def _await_room(self, effect: AwaitRoom) -> None:
        if not self._queue.wait_for_room(effect.key, _ROOM_WAIT_S, effect.more):
            msg = (
                f"the write-back queue holds {len(self._queue)} keys and took no more for "
                f"{_ROOM_WAIT_S:g} s: the slow tiers don't keep up or are away. Try again later, raise "
                "max_pending, or write with durability='remote'"
            )
            raise QueueFullError(msg, operation="set", key=effect.key)

    def _await_flight(self, effect: AwaitFlight) -> bool:
        over = threading.Event()
        effect.flight.when_over(over.set)
        return over.wait(None if effect.timeout_s == math.inf else effect.timeout_s)

    def _acquire_lease(self, effect: AcquireLease) -> Reply:
        index, key, owner, lifetime_s = effect
        level = self._levels[index]
        leases = level.leases
        if leases is None:
            return Reply(SKIPPED, None, 0.0, self._clock.wall(), "the tier has no leases")
        reply = level.call("acquire_lease", key, leases.acquire, key, owner, lifetime_s)
        if reply.status == OK and reply.value.granted:
            self._stack.renewer.hold(owner, level, key, lifetime_s)
        return reply

    def _release_lease(self, effect: ReleaseLease) -> None:
        level = self._levels[effect.level]
        self._stack.renewer.drop(effect.owner)
        if level.leases is not None:
            level.call("release_lease", effect.key, level.leases.release, effect.key, effect.owner)

    def _await_lease(self, effect: AwaitLease) -> Reply:
        index, key, seen, timeout_s = effect
        level = self._levels[index]
        if level.leases is None:
            return Reply(SKIPPED, None, 0.0, self._clock.wall(), "the tier has no leases")
        return level.call("await_lease", key, level.leases.wait, key, seen, timeout_s)

    def _catch_up(self, _: CatchUp) -> int:
        return self._stack.following.catch_up()

    def _await_written(self, effect: AwaitWritten) -> None:
        self._queue.wait_until_written(effect.prefix, _ROOM_WAIT_S)

    def _write_journal(self, effect: WriteJournal) -> Reply:
        return self._in_journal(lambda journal: journal.write(*effect))

    def _write_journal_many(self, effect: WriteJournalMany) -> Reply:
        return self._in_journal(lambda journal: journal.write_many(effect.rows))

    def _forget_journal(self, effect: ForgetJournal) -> Reply:
        return self._in_journal(lambda journal: journal.forget(effect.rows))

    def _clear_journal(self, effect: ClearJournal) -> Reply:
        return self._in_journal(lambda journal: journal.clear(*effect))

    def _in_journal(self, action: Callable[[Journal], Any]) -> Reply:
        started = time.perf_counter()
        status, value, reason = OK, None, ""
        try:
            value = action(self._stack.journal())
        except JournalError as error:
            status, reason = FAILED, error.message
            self._stack.faults.report("journal", "write", f"The journal failed: {error.message}")
        return Reply(status, value, time.perf_counter() - started, self._clock.wall(), reason)

    def _refresh(self, effect: Refresh) -> None:
        self._stack.refresh(effect)

    def _refresh_many(self, effect: RefreshMany) -> None:
        self._stack.refresh_many(effect)

    def _compute(self, effect: Compute) -> Computed:
        function, keys, flights = effect
        computation = Computation()
        token = under_way.set(computation)
        led = leading.set((*leading.get(), *flights))
        began_s = self._clock.wall()
        started = time.perf_counter()
        try:
            result = function()
        except BaseException as error:
            self._computed(keys, time.perf_counter() - started, failed=True)
            raise ComputeFailedError(error) from None
        finally:
            leading.reset(led)
            under_way.reset(token)
        seconds = time.perf_counter() - started
        self._computed(keys, seconds, failed=False)
        now_s = self._clock.wall()
        lead_s = max(seconds, now_s - began_s)
        return Computed(result, seconds, now_s, lead_s, len(keys), computation)

    def _computed(self, keys: Sequence[str], seconds: float, *, failed: bool) -> None:
        self._count_computed(seconds, failed, keys)
        if self._listeners.active:
            for key in keys:
                detail = "raised" if failed else ""
                self._note(Event(EventKind.COMPUTE, "", key, seconds / len(keys), 0, detail))
