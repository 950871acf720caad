"""Work that belongs to no caller: who waits for it can be cancelled without it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tiered_cache._engine.drivers.event_loop import EventLoop

__all__ = ["Errand", "Signal"]

T = TypeVar("T")


class Errand(Generic[T]):
    """Some work in a task of its own, and how it ended. Any number of tasks may wait for it.

    Args:
        loop: The loop.
        work: The work; what it raises is raised where it is waited for.
        not_begun: Called if it was cancelled before it began.
    """

    __slots__ = ("_begun", "_error", "_not_begun", "_over", "_value", "_work", "cancel")

    def __init__(
        self,
        loop: EventLoop,
        work: Callable[[], Awaitable[T]],
        not_begun: Callable[[], object] | None = None,
    ) -> None:
        self._work = work
        self._not_begun = not_begun
        self._begun = False
        self._over = anyio.Event()
        self._error: BaseException | None = None
        self._value: Any = None
        self.cancel = loop.start(self._run, self._end)

    async def _run(self) -> None:
        self._begun = True
        try:
            self._value = await self._work()
        except GeneratorExit:  # the loop was thrown away with this in it
            raise
        except BaseException as error:
            self._error = error

    def _end(self) -> None:
        if not self._begun:
            self._error = anyio.get_cancelled_exc_class()()
            if self._not_begun is not None:
                self._not_begun()
        self._over.set()

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._over.is_set()

    async def ended(self) -> None:
        """Wait until it has ended, however it does."""
        await self._over.wait()

    async def result(self) -> T:
        """Wait for it; what it returned, or raises what it raised."""
        await self._over.wait()
        if self._error is not None:
            raise self._error
        value: T = self._value
        return value


class Signal:
    """What one task waits for and any thread may set."""

    __slots__ = ("_event", "_loop")

    def __init__(self, loop: EventLoop) -> None:
        self._loop = loop
        self._event = anyio.Event()

    def set(self) -> None:
        """Let the task go on."""
        self._loop.soon_from_thread(self._event.set)

    async def wait(self, timeout_s: float = math.inf) -> bool:
        """Wait until it is set; whether it was in time."""
        with anyio.move_on_after(timeout_s):
            await self._event.wait()
        return self._event.is_set()
