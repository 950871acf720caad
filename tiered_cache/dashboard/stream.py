"""The numbers as server-sent events, to a bounded number of pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from tiered_cache.dashboard.numbers import Numbers

__all__ = ["MAX_STREAMS", "SEND_S", "Seats", "Stream"]

MAX_STREAMS = 32
"""Pages that one dashboard pushes numbers to. Further ones ask for them, less often."""

SEND_S = 10.0
"""Seconds after which a page that takes nothing any more is let go of."""

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"x-accel-buffering", b"no"),  # a proxy must not wait for more
]
_RETRY = b"retry: 2000\n\n"


class Seats:
    """How many pages there is room for. For one event loop."""

    def __init__(self, most: int = MAX_STREAMS) -> None:
        self._free = most

    def take(self) -> bool:
        """Take one, if there is one."""
        if not self._free:
            return False
        self._free -= 1
        return True

    def leave(self) -> None:
        """Give one back."""
        self._free += 1


class Stream:
    """An ASGI application that pushes the numbers until the page is gone or too slow.

    A page that is slow is sent the latest numbers next, not those that it missed: nothing queues.

    Args:
        numbers: What to push.
        window: Of which window.
        seats: Where there has to be room.
    """

    def __init__(self, numbers: Numbers, window: str, seats: Seats) -> None:
        self._numbers = numbers
        self._window = window
        self._seats = seats

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Push."""
        if not self._seats.take():
            full = JSONResponse({"error": "too many pages are open"}, 503, {"Retry-After": "10"})
            await full(scope, receive, send)
            return
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(_cancel_when_gone, receive, group.cancel_scope)
                await self._push(send)
                group.cancel_scope.cancel()
        finally:
            self._seats.leave()

    async def _push(self, send: Send) -> None:
        try:
            with anyio.fail_after(SEND_S):
                await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await _send_bytes(send, _RETRY)
            going_on = True
            while going_on:
                try:
                    numbers = await self._numbers.latest(self._window)
                except TimeoutError:  # there are none yet: the page comes again
                    break
                await _send_bytes(send, b"event: now\ndata: %b\n\n" % numbers)
                going_on = await self._numbers.until_next()
            await send({"type": "http.response.body"})
        except (TimeoutError, OSError):
            return  # the page takes nothing any more, or is gone


async def _send_bytes(send: Send, data: bytes) -> None:
    with anyio.fail_after(SEND_S):
        await send({"type": "http.response.body", "body": data, "more_body": True})


async def _cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
