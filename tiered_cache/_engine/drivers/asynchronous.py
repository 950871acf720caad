"""The asynchronous driver: does what plans ask for in the tasks of an event loop."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from tiered_cache._engine.drivers.background_task import Errand, Signal
from tiered_cache._engine.drivers.base import ROOM_WAIT_S, Performing
from tiered_cache._engine.drivers.batching import Lookups
from tiered_cache._engine.drivers.loop_home import Home, Homes
from tiered_cache._engine.drivers.sync import SyncDriver
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
from tiered_cache._engine.plans.read import look_up, look_up_many
from tiered_cache._engine.stack import changing
from tiered_cache._engine.state.flights import leading
from tiered_cache._engine.state.key_locks import LOCK_WAIT_S
from tiered_cache.computation import Computation, under_way

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tiered_cache._engine.effects import Effect
    from tiered_cache._engine.plans.seek import Sought
    from tiered_cache._engine.stack import Stack
    from tiered_cache._engine.state.flights import Flight
    from tiered_cache._engine.state.key_locks import Stripe

__all__ = ["AsyncDriver"]

_SLICE_S = 0.5
"""How long a thread waits for a lease in one go: so that it is soon free when nobody waits any more."""

_POLL_S = 0.02
"""How long a task waits for a lease that no thread is left to wait for."""

_MAX_REFRESHES = 100
"""How many values are computed anew in the background at a time, in one loop."""

_LATER: Any = object()

Recompute = Callable[[Refresh | RefreshMany, Sequence[str]], Awaitable[None]]

T = TypeVar("T")


class _Led:
    """A plan that leads flights in a task of its own, and whether anybody wants what comes of it."""

    __slots__ = ("_flights", "_has_caller", "_home", "_is_cancelled", "_stack", "cancel")

    def __init__(self, home: Home, stack: Stack) -> None:
        self._home = home
        self._stack = stack
        self._flights: Sequence[Flight] = ()
        self._has_caller = True
        self._is_cancelled = False
        self.cancel: Callable[[], None] = _nothing

    def lead(self, flights: Sequence[Flight]) -> None:
        """Lead other flights from now on."""
        self._flights = flights
        for flight in flights:
            flight.deserted = self._look
            flight.is_lost = self._is_lost
        if not self._has_caller:
            self._desert()

    def leave(self) -> None:
        """Want nothing any more, as the caller; others may."""
        self._has_caller = False
        self._desert()
        self._end()

    def _desert(self) -> None:
        for flight in self._flights:
            self._stack.flights.desert(flight)

    @property
    def is_wanted(self) -> bool:
        """Whether the caller or others want it."""
        return self._has_caller or any(flight.callers > 0 for flight in self._flights)

    def _is_lost(self) -> bool:
        return self._home.loop.is_closed

    def _look(self) -> None:
        self._home.loop.soon_from_thread(self._end)

    def _end(self) -> None:
        # Once: a second time would interrupt what is done because of the first.
        if not self.is_wanted and not self._is_cancelled:
            self._is_cancelled = True
            self.cancel()


class AsyncDriver(Performing):
    """Runs plans on a stack in the tasks that ask for them, of any number of event loops.

    What may wait or take long is awaited, or done in a thread of a bounded number. Two kinds of plans
    go on in a task of their own: one that changes something, which is done to its end whatever becomes
    of its caller, and one that leads a flight, which ends early only if nobody wants its outcome.

    Args:
        stack: The stack.
        recompute: Computes some keys of what is wanted anew, in the background; does not raise.
    """

    def __init__(self, stack: Stack, recompute: Recompute) -> None:
        super().__init__(stack)
        self._sync = SyncDriver(stack)
        self._recompute = recompute
        self._homes = Homes()
        self._quick = [level.is_quick for level in stack.levels]
        self._performers: dict[type, Any] = {
            Read: self._read,
            ReadMany: self._read_many,
            ReadHeads: self._read_heads,
            Put: self._put,
            PutMany: self._put_many,
            Delete: self._delete,
            DeleteMany: self._delete_many,
            Clear: self._clear,
            Fence: self._in_thread,
            Scan: self._in_thread,
            AcquireLease: self._acquire_lease,
            ReleaseLease: self._release_lease,
            AwaitFlight: self._await_flight,
            AwaitLease: self._await_lease,
            AwaitRoom: self._await_room,
            AwaitWritten: self._await_written,
            CatchUp: self._catch_up,
            WriteJournal: self._in_thread,
            WriteJournalMany: self._in_thread,
            ClearJournal: self._in_thread,
            ForgetJournal: self._in_thread,
            Compute: self._compute,
        }

    async def home(self) -> Home:
        """What is kept for the running loop."""
        return self._homes.here() or await self._homes.settle()

    async def run(self, plan: Plan[T]) -> T:
        """Run `plan` to its end; its result, or what its computation raised."""
        home = self._homes.here() or await self._homes.settle()
        return await self._drive(home, plan)

    async def look_up(self, key: str) -> Sought:
        """Look `key` up, together with what other tasks look up in this turn of the loop."""
        home = self._homes.here() or await self._homes.settle()
        lookups = home.lookups
        if lookups is None:
            lookups = home.lookups = Lookups(home, partial(self._look_up_many, home))
        sought = await lookups.sought(key)
        return await self._drive(home, look_up(self._stack, key)) if sought is None else sought

    def _look_up_many(self, home: Home, keys: Sequence[str]) -> Awaitable[Mapping[str, Sought]]:
        return self._drive(home, look_up_many(self._stack, keys))

    async def change(self, keys: Sequence[str], plan: Plan[T]) -> T:
        """Run a plan that changes `keys`, one after the other in this process.

        A caller that is cancelled goes away at once; the change is made nevertheless.
        """
        home = self._homes.here() or await self._homes.settle()
        return await Errand(home.loop, partial(self._change, home, keys, plan)).result()

    async def _change(self, home: Home, keys: Sequence[str], plan: Plan[T]) -> T:
        stack = self._stack
        held: list[Stripe] = []
        before = changing.get()
        stack.enter_change()
        try:
            for stripe in stack.stripes.of(keys):
                if stripe.lock.acquire(blocking=False) or await self._await_stripe(home, stripe):
                    held.append(stripe)
                else:
                    stack.report_impatience()
            return await self._drive(home, plan)
        finally:
            stack.flights.detach(keys)
            changing.set(before)
            stack.let_go(held)

    async def _await_stripe(self, home: Home, stripe: Stripe) -> bool:
        """Wait for the lock of some keys, at most as long as a thread would; whether it is held."""
        with anyio.move_on_after(LOCK_WAIT_S):
            while True:
                freed = Signal(home.loop)
                stripe.when_free(freed.set)
                try:
                    if stripe.lock.acquire(blocking=False):
                        return True
                    await freed.wait()
                finally:
                    stripe.forget(freed.set)
        return False

    async def _drive(self, home: Home, plan: Plan[T], led: _Led | None = None) -> T:
        send = plan.send
        shielded = False
        raised: BaseException
        try:
            effect: Effect = send(None)
            while led is not None or not isinstance(effect, Lead):
                try:
                    reply = self._at_once(home, effect, led)
                    if reply is _LATER:
                        with anyio.CancelScope(shield=True) if shielded else _NO_SCOPE:
                            reply = await self._performers[effect.__class__](home, effect)
                except BaseException as error:
                    cause = error.error if isinstance(error, ComputeFailedError) else error
                    if isinstance(cause, GeneratorExit):
                        self._abandon(plan)
                        raise
                    # What is left to do, such as to give a lease back, is done in spite of it.
                    shielded = shielded or not isinstance(cause, Exception)
                    effect = plan.throw(error)
                else:
                    effect = send(reply)
        except StopIteration as stop:
            result: T = stop.value
            return result
        except ComputeFailedError as failed:
            raised = failed.error
        else:
            return await self._lead(home, plan, effect.flights)
        # Outside the handler: the caller is to see the function's own exception, as it was.
        try:
            raise raised
        finally:
            del raised

    async def _lead(self, home: Home, plan: Plan[T], flights: Sequence[Flight]) -> T:
        """Go on with a plan that leads flights in a task of its own."""
        led = _Led(home, self._stack)
        led.lead(flights)
        go_on = partial(self._drive, home, plan, led)
        errand = Errand(home.loop, go_on, partial(self._abandon, plan))
        led.cancel = errand.cancel
        try:
            return await errand.result()
        except BaseException as error:
            if not errand.is_over:
                led.leave()
                if not led.is_wanted and not isinstance(error, GeneratorExit):
                    with anyio.CancelScope(shield=True):
                        await errand.ended()
            raise

    def _abandon(self, plan: Plan[Any]) -> None:
        """End a plan whose loop was thrown away with it: nothing can be asked any more."""
        with contextlib.suppress(BaseException):
            effect = plan.throw(GeneratorExit())
            while True:
                if isinstance(effect, ReleaseLease):
                    self._stack.renewer.drop(effect.owner)
                effect = plan.send(self.skipped("the event loop has ended"))

    def _at_once(self, home: Home, effect: Any, led: _Led | None) -> Any:
        """The reply to an effect for which nothing is waited for, or `_LATER`."""
        kind = effect.__class__
        if kind is Read:
            if self._quick[effect.level]:
                return self._sync.perform(effect)
            queued = self.queued_reply(effect.key, effect.level)
            return _LATER if queued is None else queued
        if kind is Put or kind is Delete:
            return self._sync.perform(effect) if self._quick[effect.level] else _LATER
        if kind is Refresh or kind is RefreshMany:
            return self._refresh(home, effect)
        if led is not None and kind is Lead:
            return led.lead(effect.flights)
        if kind is CatchUp and self._stack.changes_here():
            return self._sync.perform(effect)
        if kind in _SEVERAL and self._quick[effect.level] and len(effect[1]) <= _FEW:
            return self._sync.perform(effect)
        return _LATER

    async def _in_thread(self, home: Home, effect: Effect) -> Any:
        return await home.in_thread(self._sync.perform, effect)

    async def _read(self, home: Home, effect: Read) -> Reply:
        return await home.reads(self._levels[effect.level]).reply(effect.key)

    async def _read_many(self, home: Home, effect: ReadMany) -> Reply:
        level = self._levels[effect.level]
        queued, keys = self.queued_replies(effect)
        if not keys:
            return queued
        reply = await home.call(level, "get_many", None, "get_many", keys)
        if queued.value and reply.status == OK:
            reply.value = {**reply.value, **queued.value}
        return reply

    async def _read_heads(self, home: Home, effect: ReadHeads) -> Reply:
        level = self._levels[effect.level]
        return await home.call(level, "get_many", None, "get_heads", effect.keys)

    async def _put(self, home: Home, effect: Put) -> Reply:
        level, key = self._levels[effect.level], effect.key
        if effect.counter == "promotions":
            return await home.promotions(level, self.put_done).reply(key, effect)
        return self.put_done(effect, await home.call(level, "put", key, "put", key, effect.item))

    async def _put_many(self, home: Home, effect: PutMany) -> Reply:
        level = self._levels[effect.level]
        reply = await home.call(level, "put_many", None, "put_many", effect.items)
        return self.put_many_done(effect, reply)

    async def _delete(self, home: Home, effect: Delete) -> Reply:
        level, key = self._levels[effect.level], effect.key
        return self.deleted(effect, await home.call(level, "delete", key, "delete", key))

    async def _delete_many(self, home: Home, effect: DeleteMany) -> Reply:
        level = self._levels[effect.level]
        reply = await home.call(level, "delete_many", None, "delete_many", effect.keys)
        return self.deleted(effect, reply)

    async def _clear(self, home: Home, effect: Clear) -> Reply:
        level = self._levels[effect.level]
        if effect.progress is None:
            reply = await home.call(level, "clear", None, "clear", effect.prefix)
        else:
            ask = partial(level.call, "clear", None, level.clear, effect.prefix, effect.progress)
            reply = await home.in_thread(ask)
        return self.cleared(effect, reply)

    async def _acquire_lease(self, home: Home, effect: AcquireLease) -> Reply:
        index, key, owner, lifetime_s = effect
        level = self._levels[index]
        if level.leases is None:
            return self.skipped("the tier has no leases")
        ask = partial(home.call_leases, level, "acquire_lease", key, "acquire", owner, lifetime_s)
        asking = Errand(home.loop, ask)
        try:
            reply = await asking.result()
        except BaseException:
            # What gives it back must not overtake this, which may be granted yet.
            with anyio.CancelScope(shield=True):
                await asking.ended()
            raise
        return self.acquired(effect, reply)

    async def _release_lease(self, home: Home, effect: ReleaseLease) -> None:
        level = self._levels[effect.level]
        self._stack.renewer.drop(effect.owner)
        if level.leases is not None:
            await home.call_leases(level, "release_lease", effect.key, "release", effect.owner)

    async def _await_lease(self, home: Home, effect: AwaitLease) -> Reply:
        index, key, seen, timeout_s = effect
        level = self._levels[index]
        if level.leases is None:
            return self.skipped("the tier has no leases")
        if not home.asks_without_thread(level):
            if not home.may_wait:
                pause_s = min(timeout_s, _POLL_S)
                await anyio.sleep(pause_s)
                return Reply(OK, None, pause_s, self._clock.wall())
            timeout_s = min(timeout_s, _SLICE_S)
        return await home.call_leases(level, "await_lease", key, "wait", seen, timeout_s)

    async def _await_flight(self, home: Home, effect: AwaitFlight) -> bool:
        over = Signal(home.loop)
        effect.flight.when_over(over.set)
        try:
            return await over.wait(effect.timeout_s)
        finally:
            effect.flight.forget(over.set)

    async def _await_room(self, home: Home, effect: AwaitRoom) -> None:
        if not await self._await_queue(home, lambda: self._queue.has_room(effect.key, effect.more)):
            raise self.no_room(effect)

    async def _await_written(self, home: Home, effect: AwaitWritten) -> None:
        await self._await_queue(home, lambda: self._queue.is_written(effect.prefix))

    async def _await_queue(self, home: Home, ready: Callable[[], bool]) -> bool:
        """Wait until the queue is `ready`, as long as a thread would; whether it is."""
        with anyio.move_on_after(ROOM_WAIT_S):
            while not ready():
                left = Signal(home.loop)
                self._queue.watch(left.set)
                try:
                    if not ready():
                        await left.wait()
                finally:
                    self._queue.unwatch(left.set)
        return ready()

    async def _catch_up(self, home: Home, _: CatchUp) -> int:
        reading = home.reading_logs
        if reading is None or reading.is_over:
            catch_up = self._stack.following.catch_up
            reading = Errand(home.loop, partial(home.read_logs_in_thread, catch_up))
            home.reading_logs = reading
        return await reading.result()

    def _refresh(self, home: Home, wanted: Refresh | RefreshMany) -> None:
        refreshing = home.refreshing
        keys = [wanted.key] if isinstance(wanted, Refresh) else list(wanted.seen)
        room = _MAX_REFRESHES - len(refreshing)
        keys = [key for key in keys if key not in refreshing][:room]
        if not keys:
            return

        async def job() -> None:
            try:
                await self._recompute(wanted, keys)
            finally:
                for key in keys:
                    del refreshing[key]

        refreshing.update(dict.fromkeys(keys, home.loop.start(job)))

    async def _compute(self, _: Home, effect: Compute) -> Computed:
        computation = Computation()
        token = under_way.set(computation)
        led = leading.set((*leading.get(), *effect.flights))
        began = (self._clock.wall(), time.perf_counter())
        try:
            result = await effect.function()
        except BaseException as error:
            raise self.failed(effect, began[1], error) from None
        finally:
            with contextlib.suppress(ValueError):  # a forgotten task ends in another context
                leading.reset(led)
                under_way.reset(token)
        return self.done(effect, result, began, computation)

    async def close(self) -> None:
        """Let go of what the running loop holds, and have other loops do the same."""
        home = self._homes.here()
        if home is not None:
            await home.close()
        self._homes.close_soon()

    def close_soon(self) -> None:
        """Have every loop let go of what it holds; from any thread."""
        self._homes.close_soon()


_NO_SCOPE = contextlib.nullcontext()
_SEVERAL = frozenset({ReadMany, PutMany, DeleteMany, ReadHeads})
_FEW = 200
"""So many keys a tier that is quick is asked for by the loop itself."""


def _nothing() -> None:
    """For a plan that was not started yet."""
