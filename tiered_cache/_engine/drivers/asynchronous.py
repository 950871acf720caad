"""The asynchronous driver: performs effects in the tasks of event loops."""

from __future__ import annotations

import contextlib
import inspect
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from tiered_cache._engine.drivers.async_tiers import AsyncTierDriver
from tiered_cache._engine.drivers.batching import LookupBatch
from tiered_cache._engine.drivers.detached_task import DetachedTask, Signal
from tiered_cache._engine.drivers.led_plan import LedPlan
from tiered_cache._engine.drivers.loop_home import LoopHome, LoopHomes
from tiered_cache._engine.drivers.sync import SyncDriver
from tiered_cache._engine.drivers.tiers import ROOM_WAIT_S
from tiered_cache._engine.effects import (
    OK,
    AcquireLease,
    AwaitFlight,
    AwaitLease,
    AwaitRoom,
    AwaitWritten,
    CatchUp,
    Compute,
    Computed,
    ComputeFailedError,
    Delete,
    DeleteMany,
    Lead,
    Plan,
    Read,
    ReadHeads,
    ReadMany,
    Refresh,
    ReleaseLease,
    Reply,
    WakeFlusher,
    Write,
    WriteMany,
)
from tiered_cache._engine.plans.read import look_up, look_up_many
from tiered_cache._engine.state.flights import leading
from tiered_cache._engine.state.key_locks import LOCK_WAIT_S, changing, release_all
from tiered_cache.computation import Computation, under_way
from tiered_cache.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tiered_cache._engine.drivers.background import Background
    from tiered_cache._engine.effects import Effect
    from tiered_cache._engine.plans.search import Search
    from tiered_cache._engine.stack import Stack
    from tiered_cache._engine.state.flights import Flight
    from tiered_cache._engine.state.key_locks import Stripe

__all__ = ["AsyncDriver"]

_SLICE_S = 0.5
"""Seconds of a thread's wait for a lease in one go, so that it is free soon after its caller left."""

_POLL_S = 0.02
"""Poll interval of a task that waits for a lease when no thread is free to wait."""

_MAX_REFRESHES = 100
"""Values recomputed in the background at a time, in one loop."""

_LATER: Any = object()

Recompute = Callable[[Refresh, Sequence[str]], Awaitable[None]]

T = TypeVar("T")


class AsyncDriver(AsyncTierDriver):
    """Runs plans on a stack in the tasks of their callers, of any number of event loops.

    Slow or blocking work is awaited, or done in one of a bounded number of threads. Two kinds of
    plans run in a task of their own: a change, which is finished even if its caller is cancelled, and
    a plan that leads a flight, which ends early only if no caller wants its outcome.

    Args:
        stack: The stack.
        background: The background work; refreshes are done by the loop.
        recompute: Recomputes some keys of a request; does not raise.
    """

    def __init__(self, stack: Stack, background: Background, recompute: Recompute) -> None:
        super().__init__(stack, SyncDriver(stack, background))
        self._background = background
        self._recompute = recompute
        self._homes = LoopHomes()
        self._performers |= {
            AcquireLease: self._acquire_lease,
            ReleaseLease: self._release_lease,
            AwaitFlight: self._await_flight,
            AwaitLease: self._await_lease,
            AwaitRoom: self._await_room,
            AwaitWritten: self._await_written,
            CatchUp: self._catch_up,
            Compute: self._compute,
        }

    async def home(self) -> LoopHome:
        """The resources of the running loop."""
        return self._homes.here() or await self._homes.settle()

    async def run(self, plan: Plan[T]) -> T:
        """Run `plan` to its end; its result, or the exception of its computation."""
        home = self._homes.here() or await self._homes.settle()
        return await self._drive(home, plan)

    async def look_up(self, key: str) -> Search:
        """Look `key` up, together with the keys of other tasks in this turn of the loop."""
        home = self._homes.here() or await self._homes.settle()
        lookups = home.lookups
        if lookups is None:
            look_up_keys = partial(self._look_up_many, home)
            lookups = home.lookups = LookupBatch(home.loop, look_up_keys)
        found = await lookups.find(key)
        return await self._drive(home, look_up(self._stack, key)) if found is None else found

    def _look_up_many(self, home: LoopHome, keys: Sequence[str]) -> Awaitable[Mapping[str, Search]]:
        return self._drive(home, look_up_many(self._stack, keys))

    async def change(self, keys: Sequence[str], plan: Plan[T]) -> T:
        """Run a plan that changes `keys`, with their locks held.

        A caller that is cancelled returns at once; the change is made nevertheless.
        """
        home = self._homes.here() or await self._homes.settle()
        return await DetachedTask(home.loop, partial(self._change, home, keys, plan)).result()

    async def _change(self, home: LoopHome, keys: Sequence[str], plan: Plan[T]) -> T:
        locks = self._stack.locks
        held: list[Stripe] = []
        before = changing.get()
        locks.enter_change()
        try:
            for stripe in locks.of(keys):
                if stripe.lock.acquire(blocking=False) or await self._await_stripe(home, stripe):
                    held.append(stripe)
                else:
                    locks.timed_out()
            return await self._drive(home, plan)
        finally:
            self._stack.flights.detach(keys)
            changing.set(before)
            release_all(held)

    async def _await_stripe(self, home: LoopHome, stripe: Stripe) -> bool:
        """Wait for the lock of some keys, as long as a thread would; whether it is held."""
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

    async def _drive(self, home: LoopHome, plan: Plan[T], led: LedPlan | None = None) -> T:
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
                    # The rest of the plan, such as releasing a lease, is done in spite of it.
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
        # Outside the handler: the caller gets the function's own exception, without a context.
        try:
            raise raised
        finally:
            del raised

    async def _lead(self, home: LoopHome, plan: Plan[T], flights: Sequence[Flight]) -> T:
        """Continue a plan that leads flights in a task of its own."""
        led = LedPlan(home.loop, self._stack.flights)
        led.lead(flights)
        go_on = partial(self._drive, home, plan, led)
        task = DetachedTask(home.loop, go_on, partial(self._abandon, plan))
        led.cancel = task.cancel
        try:
            return await task.result()
        except BaseException as error:
            if not task.is_over:
                led.leave()
                if not led.is_wanted and not isinstance(error, GeneratorExit):
                    with anyio.CancelScope(shield=True):
                        await task.ended()
            raise

    def _abandon(self, plan: Plan[Any]) -> None:
        """End a plan that was dropped together with its loop: no tier can be asked any more."""
        with contextlib.suppress(BaseException):
            effect = plan.throw(GeneratorExit())
            while True:
                if isinstance(effect, ReleaseLease):
                    self._stack.leases.drop(effect.owner)
                effect = plan.send(self.skipped("the event loop has ended"))

    def _at_once(self, home: LoopHome, effect: Any, led: LedPlan | None) -> Any:
        """The reply to an effect that needs no waiting, or `_LATER`."""
        kind = effect.__class__
        if kind is Read:
            if self._quick[effect.level]:
                return self._sync.perform(effect)
            queued = self.queued_reply(effect.key, effect.level)
            return _LATER if queued is None else queued
        if kind is Write or kind is Delete:
            return self._sync.perform(effect) if self._quick[effect.level] else _LATER
        if kind is Refresh:
            return self._refresh(home, effect)
        if kind is WakeFlusher:
            return self._sync.perform(effect)
        if led is not None and kind is Lead:
            return led.lead(effect.flights)
        if kind is CatchUp and self._stack.locks.is_changing():
            return self._sync.perform(effect)
        if kind in _SEVERAL and self._quick[effect.level] and len(effect[1]) <= _FEW:
            return self._sync.perform(effect)
        return _LATER

    async def _acquire_lease(self, home: LoopHome, effect: AcquireLease) -> Reply:
        index, key, owner, lifetime_s = effect
        level = self._levels[index]
        if level.leases is None:
            return self.skipped("the tier has no leases")
        ask = partial(home.call_leases, level, "acquire_lease", key, "acquire", owner, lifetime_s)
        asking = DetachedTask(home.loop, ask)
        try:
            reply = await asking.result()
        except BaseException:
            # Its release must not overtake this request, which may still be granted.
            with anyio.CancelScope(shield=True):
                await asking.ended()
            raise
        granted = reply.status == OK and reply.value.granted
        if granted and self._stack.leases.add(owner, level, key, lifetime_s):
            self._background.renew_leases()
        return reply

    async def _release_lease(self, home: LoopHome, effect: ReleaseLease) -> None:
        level = self._levels[effect.level]
        self._stack.leases.drop(effect.owner)
        if level.leases is not None:
            await home.call_leases(level, "release_lease", effect.key, "release", effect.owner)

    async def _await_lease(self, home: LoopHome, effect: AwaitLease) -> Reply:
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

    async def _await_flight(self, home: LoopHome, effect: AwaitFlight) -> bool:
        over = Signal(home.loop)
        effect.flight.when_over(over.set)
        try:
            return await over.wait(effect.timeout_s)
        finally:
            effect.flight.forget(over.set)

    async def _await_room(self, home: LoopHome, effect: AwaitRoom) -> None:
        if not await self._await_queue(home, lambda: self._queue.has_room(effect.key, effect.more)):
            raise self.no_room(effect)

    async def _await_written(self, home: LoopHome, effect: AwaitWritten) -> None:
        await self._await_queue(home, lambda: self._queue.is_written(effect.prefix))

    async def _await_queue(self, home: LoopHome, ready: Callable[[], bool]) -> bool:
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

    async def _catch_up(self, home: LoopHome, _: CatchUp) -> int:
        reading = home.reading_logs
        if reading is None or reading.is_over:
            read_logs = partial(home.read_logs_in_thread, self._background.catch_up)
            reading = DetachedTask(home.loop, read_logs)
            home.reading_logs = reading
        return await reading.result()

    def _refresh(self, home: LoopHome, wanted: Refresh) -> None:
        refreshing = home.refreshing
        room = _MAX_REFRESHES - len(refreshing)
        keys = [key for key in wanted.seen if key not in refreshing][:room]
        if not keys:
            return

        async def job() -> None:
            try:
                await self._recompute(wanted, keys)
            finally:
                for key in keys:
                    del refreshing[key]

        refreshing.update(dict.fromkeys(keys, home.loop.start(job)))

    async def _compute(self, _: LoopHome, effect: Compute) -> Computed:
        computation = Computation()
        token = under_way.set(computation)
        led = leading.set((*leading.get(), *effect.flights))
        began = (self._clock.wall(), time.perf_counter())
        try:
            awaitable = effect.function()
            if not inspect.isawaitable(awaitable):
                raise _not_awaitable(awaitable)
            result = await awaitable
        except BaseException as error:
            raise self.failed(effect, began[1], error) from None
        finally:
            with contextlib.suppress(ValueError):  # a forgotten task ends in another context
                leading.reset(led)
                under_way.reset(token)
        return self.done(effect, result, began, computation)

    async def close(self) -> None:
        """Release the resources of the running loop, and have other loops release theirs."""
        home = self._homes.here()
        if home is not None:
            await home.close()
        self._homes.close_soon()

    def close_soon(self) -> None:
        """Have every loop release its resources; from any thread."""
        self._homes.close_soon()


def _not_awaitable(result: object) -> ConfigurationError:
    msg = (
        f"compute() returned {type(result).__name__}, which can't be awaited: give an async function, "
        "or use the synchronous face, cache.sync, in a thread"
    )
    return ConfigurationError(msg)


_NO_SCOPE = contextlib.nullcontext()
_SEVERAL = frozenset({ReadMany, WriteMany, DeleteMany, ReadHeads})
_FEW = 200
"""Keys that the loop itself asks of a quick tier in one call."""
