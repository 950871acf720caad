"""The numbers that the pages show: read once for all of them, and only while somebody looks."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING

import anyio

from tiered_cache.dashboard.document import document
from tiered_cache.dashboard.series import Series

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache.dashboard.reading import Reading
    from tiered_cache.dashboard.working import Workers

__all__ = ["EVERY_S", "MAX_SHARE", "Numbers"]

_log = logging.getLogger("tiered_cache.dashboard")

EVERY_S = 1.0
"""Seconds between two readings, where they are quick."""

MAX_SHARE = 0.015
"""Of one core, that reading may take: what takes longer is read less often."""

_SELDOM_S = 10.0


class Numbers:
    """The latest numbers as JSON. For one event loop.

    Args:
        read: Reads them; blocks.
        workers: Make it.
    """

    def __init__(self, read: Callable[[], Reading], workers: Workers) -> None:
        self._read = read
        self._workers = workers
        self._series: dict[str, Series] = {}
        self._reading: Reading | None = None
        self._shown: dict[str, bytes] = {}
        self._due_s = 0.0
        self._trouble = ""
        self._lock: anyio.Lock | None = None
        self._end: anyio.Event | None = None

    async def latest(self, window: str) -> bytes:
        """The numbers of `window`, not older than `EVERY_S` unless reading them is slow.

        Raises:
            TimeoutError: They could not be read even once.
        """
        if self._lock is None:
            self._lock = anyio.Lock()
        async with self._lock:
            if time.monotonic() >= self._due_s:
                await self._renew()
            if self._reading is None:
                msg = self._trouble
                raise TimeoutError(msg)
            shown = self._shown.get(window)
            if shown is None:
                shown = self._shown[window] = self._render(self._reading, window)
            return shown

    async def until_next(self) -> bool:
        """Wait until there may be later numbers; whether anybody is to go on showing them."""
        if self._end is None:
            self._end = anyio.Event()
        with anyio.move_on_after(max(0.05, self._due_s - time.monotonic())):
            await self._end.wait()
        return not self._end.is_set()

    def end(self) -> None:
        """Have all stop showing them who wait, or are about to. To be called in the event loop."""
        if self._end is None:
            self._end = anyio.Event()
        self._end.set()

    async def _renew(self) -> None:
        try:
            reading, took_s = await self._workers.call(_timed, self._read)
        except Exception as error:  # the page shows what there is, and says that it is old
            took_s = 0.0
            if not self._trouble:
                _log.warning("the numbers for the dashboard can't be read", exc_info=error)
            self._trouble = f"The numbers can't be read now: {type(error).__name__}."
        else:
            self._trouble = ""
            self._reading = reading
            series = self._series.setdefault(reading.reach, Series())
            for at_s, stats in reading.past:
                series.add(at_s, stats)
            series.add(reading.at_s, reading.spans["all"].stats)
        self._shown = {}
        self._due_s = time.monotonic() + min(max(EVERY_S, took_s / MAX_SHARE), _SELDOM_S)

    def _render(self, reading: Reading, window: str) -> bytes:
        trouble = [self._trouble] if self._trouble else []
        said = document(reading, window, self._series[reading.reach], trouble)
        return json.dumps(said, allow_nan=False, separators=(",", ":")).encode()


def _timed(read: Callable[[], Reading]) -> tuple[Reading, float]:
    """What `read` gives, and the seconds of a core that it took."""
    began_s = time.thread_time()
    return read(), time.thread_time() - began_s
