"""The operations of an event loop that `anyio` does not offer."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["EventLoop", "current_token", "running_loop"]

_log = logging.getLogger("tiered_cache")


class EventLoop(Protocol):
    """The running event loop, of `asyncio` or `trio`.

    Its methods are called in the loop's own thread, but for `soon_from_thread`.
    """

    token: object
    """The same object whenever the same loop runs, and kept alive by this."""
    is_asyncio: bool

    @property
    def is_closed(self) -> bool:
        """Whether it will never run again, as far as can be told."""
        ...

    def start(
        self, work: Callable[[], Awaitable[None]], over: Callable[[], object] | None = None
    ) -> Callable[[], None]:
        """Run `work` as a task without a parent, not before the caller waits.

        It runs in a copy of the caller's context, and is cancelled when the loop ends. `over` is called
        when the task has ended, also if it was cancelled before it began.

        Returns:
            A function that cancels the task.
        """
        ...

    def soon(self, call: Callable[[], object]) -> None:
        """Call `call` when every task that can run now has had its turn."""
        ...

    def soon_from_thread(self, call: Callable[[], object]) -> None:
        """Call `call` in the loop, from any thread; never, where the loop has ended."""
        ...


class _AsyncioLoop:
    is_asyncio = True

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.token: object = loop
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_closed(self) -> bool:
        return self._loop.is_closed()

    def start(
        self, work: Callable[[], Awaitable[None]], over: Callable[[], object] | None = None
    ) -> Callable[[], None]:
        async def run() -> None:
            await work()

        # Not by the loop's task factory, which may begin at once.
        task = asyncio.Task(run(), loop=self._loop)
        self._tasks.add(task)  # the loop itself does not keep it alive
        task.add_done_callback(self._tasks.discard)
        if over is not None:
            task.add_done_callback(lambda _: over())

        def cancel() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                task.cancel()

        return cancel

    def soon(self, call: Callable[[], object]) -> None:
        self._loop.call_soon(call)

    def soon_from_thread(self, call: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # it is closed
            self._loop.call_soon_threadsafe(call)


class _TrioLoop:
    is_asyncio = False

    def __init__(self, trio: Any) -> None:
        self._trio = trio
        self.token = self._token = trio.lowlevel.current_trio_token()
        self._ended = False

    @property
    def is_closed(self) -> bool:
        return self._ended

    def start(
        self, work: Callable[[], Awaitable[None]], over: Callable[[], object] | None = None
    ) -> Callable[[], None]:
        scope = self._trio.CancelScope()

        async def run() -> None:
            try:
                with scope:
                    await work()
            except Exception:  # one that leaves a system task would end the whole program
                _log.exception("A task of the cache failed")
            finally:
                if over is not None:
                    over()

        self._trio.lowlevel.spawn_system_task(run, context=contextvars.copy_context())
        cancel: Callable[[], None] = scope.cancel
        return cancel

    def soon(self, call: Callable[[], object]) -> None:
        self._token.run_sync_soon(call)

    def soon_from_thread(self, call: Callable[[], object]) -> None:
        try:
            self._token.run_sync_soon(call)
        except self._trio.RunFinishedError:
            self._ended = True


def current_token() -> object:
    """The `EventLoop.token` of the loop that the calling task runs in."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        import trio

        return trio.lowlevel.current_trio_token()


def running_loop() -> EventLoop:
    """The event loop that the calling task runs in."""
    try:
        return _AsyncioLoop(asyncio.get_running_loop())
    except RuntimeError:
        import trio

        return _TrioLoop(trio)
