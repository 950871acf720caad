"""The side of a core that event loops use: the same stack, with a driver that awaits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import anyio.to_thread

from tiered_cache._engine.drivers.asynchronous import AsyncDriver
from tiered_cache._engine.plans.refresh import refresh
from tiered_cache._engine.workers.refresher import reporting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tiered_cache._engine.effects import Plan, Refresh
    from tiered_cache._engine.plans.search import Search
    from tiered_cache._face.core import Core
    from tiered_cache._face.core_source import CoreSource

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
        self._driver = AsyncDriver(core.stack, core.background, self._recompute)

    async def run(self, plan: Plan[T]) -> T:
        """Run a plan and give its events to the listeners."""
        self.core.admit(plan)
        try:
            return await self._driver.run(plan)
        finally:
            self.stack.events.emit()

    async def look_up(self, key: str) -> Search:
        """Look a key up, together with those of other tasks, and emit the events."""
        self.core.admit()
        try:
            return await self._driver.look_up(key)
        finally:
            self.stack.events.emit()

    async def change(self, keys: Sequence[str], plan: Plan[T]) -> T:
        """Run a plan that changes `keys`, with their locks held."""
        self.core.admit(plan)
        try:
            return await self._driver.change(keys, plan)
        finally:
            self.stack.events.emit()

    async def in_thread(self, function: Callable[..., T], *args: Any) -> T:
        """The result of `function`, which may block for long, in a thread."""
        home = await self._driver.home()
        return await home.wait_in_thread(function, *args)

    async def _recompute(self, wanted: Refresh, keys: Sequence[str]) -> None:
        with reporting(self.stack, keys[0]):
            await self.run(refresh(self.stack, wanted, keys))

    async def close(self, source: CoreSource) -> None:
        """Release the resources of event loops, and close the core of `source` in a thread."""
        await self._driver.close()
        await anyio.to_thread.run_sync(source.close)

    def close_soon(self) -> None:
        """Have each loop release its resources; from any thread."""
        self._driver.close_soon()


async def async_core_of(source: CoreSource) -> AsyncCore:
    """The side for event loops of the current core, which is built in a thread if need be."""
    core = source.current
    if core is None:
        core = await anyio.to_thread.run_sync(source.core)
    side = core.side or core.keep_side(AsyncCore(core))
    assert isinstance(side, AsyncCore)  # the only kind there is
    return side
