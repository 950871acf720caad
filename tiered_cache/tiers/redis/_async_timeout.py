"""A timeout that does not count the time for which the event loop was busy."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["LoopTimeout"]

_PARTS = 25


class LoopTimeout:
    """An asynchronous context manager that raises `TimeoutError` in its block after some seconds.

    The loop counts the seconds in parts. A part that took longer, because the loop was busy, counts
    as one part. Otherwise a program that computes for a second in its loop, or has thousands of
    tasks, would see every server time out.

    Args:
        seconds: The longest that the block may take.
        parts: The number of parts. Fewer cost less where thousands of tasks wait.
        extend: Called when the time is over: whether to wait as long once more.
    """

    def __init__(
        self, seconds: float, parts: int = _PARTS, extend: Callable[[], bool] = bool
    ) -> None:
        self._part_s = seconds / parts
        self._parts = parts
        self._extend = extend
        self._scope = asyncio.timeout(None)

    async def __aenter__(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._scope.__aenter__()
        self._schedule(self._parts)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._next.cancel()
        await self._scope.__aexit__(kind, error, traceback)

    def _schedule(self, parts: int) -> None:
        self._next = self._loop.call_later(self._part_s, self._count, parts - 1)

    def _count(self, parts: int) -> None:
        if parts:
            self._schedule(parts)
        elif self._extend():
            self._schedule(self._parts)
        else:
            self._scope.reschedule(self._loop.time())
