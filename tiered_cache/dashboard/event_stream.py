"""The statistics as server-sent events, for a bounded number of pages.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from tiered_cache.dashboard.responses import error_response

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from tiered_cache.dashboard.feed import Feed

__all__ = ["MAX_STREAMS", "SEND_S", "EventStream", "StreamSlots"]

MAX_STREAMS = 32
"""Pages that one dashboard pushes to. Further pages poll, less often."""

SEND_S = 10.0
"""Deadline in seconds for a page to accept an event; then its stream is closed."""

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"x-accel-buffering", b"no"),  # nginx would hold events back until its buffer is full
]
_RETRY = b"retry: 2000\n\n"


class StreamSlots:
    """A bound on open streams. For one event loop."""

    def __init__(self, limit: int = MAX_STREAMS) -> None:
        self._free = limit

    def acquire(self) -> bool:
        """Take a slot; `False` if none is free."""
        if not self._free:
            return False
        self._free -= 1
        return True

    def release(self) -> None:
        """Return a slot."""
        self._free += 1


class EventStream:
    """An ASGI application that pushes statistics until the page closes or accepts no more.

    Nothing queues: a slow page is next sent the latest statistics, and skips those in between.

    Args:
        feed: The statistics.
        window: The name of the time window.
        slots: The bound on open streams; 503 if none is free.
    """

    def __init__(self, feed: Feed, window: str, slots: StreamSlots) -> None:
        self._feed = feed
        self._window = window
        self._slots = slots

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Push statistics."""
        if not self._slots.acquire():
            full = error_response(503, "too many pages are open", {"Retry-After": "10"})
            await full(scope, receive, send)
            return
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(_cancel_when_gone, receive, group.cancel_scope)
                await self._push(send)
                group.cancel_scope.cancel()
        finally:
            self._slots.release()

    async def _push(self, send: Send) -> None:
        try:
            with anyio.fail_after(SEND_S):
                await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await _send_bytes(send, _RETRY)
            is_open = True
            while is_open:
                try:
                    data = await self._feed.latest(self._window)
                except TimeoutError:  # nothing collected yet: the page reconnects
                    break
                await _send_bytes(send, b"event: now\ndata: %b\n\n" % data)
                is_open = await self._feed.until_next()
            await send({"type": "http.response.body"})
        except (TimeoutError, OSError):
            return  # the page is gone, or accepts no more


async def _send_bytes(send: Send, data: bytes) -> None:
    with anyio.fail_after(SEND_S):
        await send({"type": "http.response.body", "body": data, "more_body": True})


async def _cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
