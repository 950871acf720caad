"""The statistics for all open pages: collected once, and only while a page is open."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING

import anyio

from tiered_cache.dashboard.fleet_snapshot import ALL
from tiered_cache.dashboard.page_data import page_data
from tiered_cache.dashboard.series import Series

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache.dashboard.blocking_calls import BlockingCalls
    from tiered_cache.dashboard.fleet_snapshot import FleetSnapshot

__all__ = ["EVERY_S", "MAX_SHARE", "Feed"]

_log = logging.getLogger("tiered_cache.dashboard")

EVERY_S = 1.0
"""Shortest time in seconds between two collections."""

MAX_SHARE = 0.015
"""Largest share of one core for collecting. A slow collection lowers the rate."""

_SELDOM_S = 10.0


class Feed:
    """The latest statistics as JSON. For one event loop.

    Args:
        collect: Returns a snapshot; may block.
        calls: Runs `collect`.
    """

    def __init__(self, collect: Callable[[], FleetSnapshot], calls: BlockingCalls) -> None:
        self._collect = collect
        self._calls = calls
        self._series: dict[str, Series] = {}
        self._snapshot: FleetSnapshot | None = None
        self._rendered: dict[str, bytes] = {}
        self._due_s = 0.0
        self._trouble = ""
        self._lock: anyio.Lock | None = None
        self._ended: anyio.Event | None = None

    async def latest(self, window: str) -> bytes:
        """The statistics of `window`, at most `EVERY_S` old unless collecting is slow.

        Raises:
            TimeoutError: No collection has succeeded yet.
        """
        if self._lock is None:
            self._lock = anyio.Lock()
        async with self._lock:
            if time.monotonic() >= self._due_s:
                await self._renew()
            if self._snapshot is None:
                raise TimeoutError(self._trouble)
            rendered = self._rendered.get(window)
            if rendered is None:
                rendered = self._rendered[window] = self._render(self._snapshot, window)
            return rendered

    async def until_next(self) -> bool:
        """Wait until the next collection is due; `False` if the feed has ended."""
        if self._ended is None:
            self._ended = anyio.Event()
        with anyio.move_on_after(max(0.05, self._due_s - time.monotonic())):
            await self._ended.wait()
        return not self._ended.is_set()

    def end(self) -> None:
        """End the feed: `until_next` returns `False` from now on. Call it in the event loop."""
        if self._ended is None:
            self._ended = anyio.Event()
        self._ended.set()

    async def _renew(self) -> None:
        try:
            snapshot, took_s = await self._calls.run(_timed, self._collect)
        except Exception as error:  # the page keeps the old statistics and says so
            took_s = 0.0
            if not self._trouble:
                _log.warning("the dashboard can't collect statistics", exc_info=error)
            self._trouble = f"Statistics can't be read at the moment: {type(error).__name__}."
        else:
            self._trouble = ""
            self._accept(snapshot)
        self._rendered = {}
        self._due_s = time.monotonic() + min(max(EVERY_S, took_s / MAX_SHARE), _SELDOM_S)

    def _accept(self, snapshot: FleetSnapshot) -> None:
        self._snapshot = snapshot
        series = self._series.setdefault(snapshot.reach, Series())
        for at_s, stats in snapshot.past:
            series.add(at_s, stats)
        series.add(snapshot.at_s, snapshot.windows[ALL].stats)

    def _render(self, snapshot: FleetSnapshot, window: str) -> bytes:
        trouble = [self._trouble] if self._trouble else []
        data = page_data(snapshot, window, self._series[snapshot.reach], trouble)
        return json.dumps(data, allow_nan=False, separators=(",", ":")).encode()


def _timed(collect: Callable[[], FleetSnapshot]) -> tuple[FleetSnapshot, float]:
    """A snapshot, and the processor seconds that collecting it took."""
    began_s = time.thread_time()
    return collect(), time.thread_time() - began_s
