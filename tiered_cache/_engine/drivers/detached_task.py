"""Work that belongs to no caller: a caller that waits for it can be cancelled without it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tiered_cache._engine.drivers.event_loop import EventLoop

__all__ = ["DetachedTask", "Signal"]

T = TypeVar("T")


class DetachedTask(Generic[T]):
    """Work in a task of its own. Any number of tasks may wait for its result.

    Args:
        loop: The loop.
        work: The work; its exception is raised where its result is awaited.
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
        except GeneratorExit:  # the loop was dropped with this in it
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
        """Wait until it has ended, with or without a result."""
        await self._over.wait()

    async def result(self) -> T:
        """Wait for its result; raises its exception."""
        await self._over.wait()
        if self._error is not None:
            raise self._error
        value: T = self._value
        return value


class Signal:
    """An event that one task waits for and any thread may set."""

    __slots__ = ("_event", "_loop")

    def __init__(self, loop: EventLoop) -> None:
        self._loop = loop
        self._event = anyio.Event()

    def set(self) -> None:
        """Wake the task."""
        self._loop.soon_from_thread(self._event.set)

    async def wait(self, timeout_s: float = math.inf) -> bool:
        """Wait until it is set; whether it was in time."""
        with anyio.move_on_after(timeout_s):
            await self._event.wait()
        return self._event.is_set()
