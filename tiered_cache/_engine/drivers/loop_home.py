"""The resources of one event loop that uses a cache: its threads and its sides of the tiers."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread

from tiered_cache._engine.drivers.batching import HeadBatch, LookupBatch, PutBatch, ReadBatch
from tiered_cache._engine.drivers.detached_task import DetachedTask
from tiered_cache._engine.drivers.event_loop import EventLoop, current_token, running_loop
from tiered_cache._process.fork import call_in_child

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from tiered_cache._engine.effects import Reply
    from tiered_cache._engine.level import Level
    from tiered_cache.contracts import AwaitedTier

__all__ = ["TIER_THREADS", "WAITING_THREADS", "LoopHome", "LoopHomes"]

TIER_THREADS = 16
"""Threads in tiers at a time, for one event loop."""

WAITING_THREADS = 8
"""Threads that wait for something else, so that waiting keeps no task from a tier."""

T = TypeVar("T")


class LoopHome:
    """The resources of one event loop.

    Not thread-safe: only the loop's own thread uses it, except for `close_soon`.

    Attributes:
        loop: The loop.
        reading_logs: The task that reads the change logs now, for all tasks.
        lookups: The lookups of its tasks in this turn.
        refreshing: The keys that are recomputed in the background, each with a function to cancel.
    """

    def __init__(self, loop: EventLoop) -> None:
        self.loop = loop
        self.reading_logs: DetachedTask[int] | None = None
        self.lookups: LookupBatch | None = None
        self.refreshing: dict[str, Callable[[], None]] = {}
        self.keeper: AsyncGenerator[None] | None = None
        self._tier_threads = anyio.CapacityLimiter(TIER_THREADS)
        self._waiting_threads = anyio.CapacityLimiter(WAITING_THREADS)
        self._reading_thread = anyio.CapacityLimiter(1)
        self._sides: dict[int, AwaitedTier | None] = {}
        self._reads: dict[int, ReadBatch] = {}
        self._heads: dict[int, HeadBatch] = {}
        self._puts: dict[int, PutBatch] = {}

    def reads(self, level: Level) -> ReadBatch:
        """The batch of reads from a tier in this turn of the loop."""
        batch = self._reads.get(level.index)
        if batch is None or batch.is_sent:
            batch = self._reads[level.index] = ReadBatch(self, level)
        return batch

    def heads(self, level: Level) -> HeadBatch:
        """The batch of heads to be read from a tier in this turn."""
        batch = self._heads.get(level.index)
        if batch is None or batch.is_sent:
            batch = self._heads[level.index] = HeadBatch(self, level)
        return batch

    def promotions(self, level: Level) -> PutBatch:
        """The batch of promotions into a tier in this turn."""
        batch = self._puts.get(level.index)
        if batch is None or batch.is_sent:
            batch = self._puts[level.index] = PutBatch(self, level)
        return batch

    def asks_without_thread(self, level: Level) -> bool:
        """Whether the loop itself asks a tier."""
        return self._side(level) is not None

    def _side(self, level: Level) -> AwaitedTier | None:
        """This loop's side of a tier; `None` where a thread asks it."""
        try:
            return self._sides[level.index]
        except KeyError:
            pass
        if not level.is_open:
            return None
        make = level.offers.awaited if self.loop.is_asyncio else None
        side = None if make is None else make()
        self._sides[level.index] = side
        return side

    async def call(
        self, level: Level, operation: str, key: str | None, method: str, *args: Any
    ) -> Reply:
        """The reply of a tier to a call of its method: awaited, or made in a thread."""
        side = self._side(level)
        if side is not None:
            return await level.await_call(operation, key, getattr(side, method), *args)
        function = level.get_heads if method == "get_heads" else getattr(level.tier, method)
        return await self.in_thread(level.call, operation, key, function, *args)

    async def call_leases(
        self, level: Level, operation: str, key: str, method: str, *args: Any
    ) -> Reply:
        """The reply of a tier's leases to a call of their method."""
        side = self._side(level)
        if side is not None:
            return await level.await_call(operation, key, getattr(side, method), key, *args)
        function = getattr(level.leases, method)
        run = self.wait_in_thread if method == "wait" else self.in_thread
        return await run(level.call, operation, key, function, key, *args)

    async def in_thread(self, function: Callable[..., T], *args: Any) -> T:
        """The result of `function`, which asks a tier, in a thread."""
        return await self._in_one_of(self._tier_threads, function, *args)

    async def wait_in_thread(self, function: Callable[..., T], *args: Any) -> T:
        """The result of `function`, which waits for something other than a tier, in a thread."""
        return await self._in_one_of(self._waiting_threads, function, *args)

    async def read_logs_in_thread(self, function: Callable[[], T]) -> T:
        """The result of `function`, for which lookups wait, in a thread of its own.

        To be called by a detached task.
        """
        return await anyio.to_thread.run_sync(function, limiter=self._reading_thread)

    async def _in_one_of(
        self, threads: anyio.CapacityLimiter, function: Callable[..., T], *args: Any
    ) -> T:
        # A thread can't be cancelled. A detached task waits for it, so that its place stays taken while
        # it works, and a cancelled caller need not wait.
        run = partial(anyio.to_thread.run_sync, function, *args, limiter=threads)
        return await DetachedTask(self.loop, run).result()

    @property
    def may_wait(self) -> bool:
        """Whether a thread is free to wait."""
        return self._waiting_threads.available_tokens >= 1

    def close_soon(self) -> None:
        """Have the loop close this; from any thread."""

        def begin() -> None:
            with contextlib.suppress(RuntimeError):  # the ending loop closes this
                self.loop.start(self.close)

        self.loop.soon_from_thread(begin)

    async def close(self) -> None:
        """Release everything that this loop holds. May be called again."""
        keeper, self.keeper = self.keeper, None
        if keeper is not None:
            await keeper.aclose()

    async def release(self) -> None:
        """Cancel the background work and close the sides of the tiers."""
        for cancel in list(self.refreshing.values()):
            cancel()
        sides, self._sides = list(self._sides.values()), {}
        for side in sides:
            if side is not None:
                await side.aclose()


class LoopHomes:
    """The homes of one driver. Each is released when its loop ends, or when the cache is closed.

    Thread-safe; a forked child starts without any.
    """

    def __init__(self) -> None:
        self._forget()
        call_in_child(self._forget)

    def _forget(self) -> None:
        self._homes: dict[object, LoopHome] = {}
        self._last: LoopHome | None = None

    def here(self) -> LoopHome | None:
        """The home of the running loop; `None` if it has none yet."""
        token = current_token()
        last = self._last
        if last is not None and last.loop.token is token:
            return last
        found = self._last = self._homes.get(token)
        return found

    async def settle(self) -> LoopHome:
        """Make a home for the running loop. It does not suspend the caller."""
        for token, home in list(self._homes.items()):
            if home.loop.is_closed:
                self._homes.pop(token, None)  # another loop may remove it now too
        home = LoopHome(running_loop())
        self._homes[home.loop.token] = home
        # A loop that ends closes the generators that are left: it has no other hook.
        home.keeper = self._keep(home)
        await home.keeper.__anext__()
        return home

    async def _keep(self, home: LoopHome) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            self._homes.pop(home.loop.token, None)
            if self._last is home:
                self._last = None
            await home.release()

    def close_soon(self) -> None:
        """Have each loop release its home."""
        for home in list(self._homes.values()):
            home.close_soon()
