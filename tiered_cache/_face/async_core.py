"""The inside of a cache as event loops use it: the same core, and a driver that awaits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import anyio.to_thread

from tiered_cache._engine.drivers.asynchronous import AsyncDriver
from tiered_cache._engine.workers.refresher import recomputing, report_failure
from tiered_cache.errors import CacheClosedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tiered_cache._engine.effects import Plan, Refresh, RefreshMany
    from tiered_cache._engine.plans.seek import Sought
    from tiered_cache._face.core import Core, CoreSource

__all__ = ["AsyncCore", "async_core_of"]

T = TypeVar("T")


class AsyncCore:
    """One core's side for event loops, of which there may be several. Thread-safe.

    Args:
        core: The core.
    """

    def __init__(self, core: Core) -> None:
        self.core = core
        self.stack = core.stack
        self._driver = AsyncDriver(core.stack, self._recompute)

    async def run(self, plan: Plan[T]) -> T:
        """Run a plan and tell the listeners."""
        self.core.admit(plan)
        try:
            return await self._driver.run(plan)
        finally:
            if self.stack.pending:
                self.stack.tell()

    async def look_up(self, key: str) -> Sought:
        """Look a key up, together with what other tasks look up now, and tell the listeners."""
        self.core.admit()
        try:
            return await self._driver.look_up(key)
        finally:
            if self.stack.pending:
                self.stack.tell()

    async def change(self, keys: Sequence[str], plan: Plan[T]) -> T:
        """Run a plan that changes `keys`, one after the other in this process."""
        self.core.admit(plan)
        try:
            return await self._driver.change(keys, plan)
        finally:
            if self.stack.pending:
                self.stack.tell()

    async def in_thread(self, function: Callable[..., T], *args: Any) -> T:
        """What `function`, which may wait for long, returns in a thread."""
        home = await self._driver.home()
        return await home.wait_in_thread(function, *args)

    async def _recompute(self, wanted: Refresh | RefreshMany, keys: Sequence[str]) -> None:
        try:
            await self.run(recomputing(self.stack, wanted, keys))
        except CacheClosedError:
            pass
        except Exception as error:
            report_failure(self.stack, keys[0], error)

    async def close(self) -> None:
        """Let go of what event loops hold."""
        await self._driver.close()

    def close_soon(self) -> None:
        """The same, from any thread: each loop does it by itself."""
        self._driver.close_soon()


async def async_core_of(source: CoreSource) -> AsyncCore:
    """The side for event loops of the current core, which is built in a thread if it has to be."""
    core = source.built()
    if core is None:
        core = await anyio.to_thread.run_sync(source.core)
    found: AsyncCore | None = core.side
    if found is None:
        kept: AsyncCore = core.keep_side(AsyncCore(core))
        return kept
    return found
