"""The worker that publishes the statistics of this process."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tiered_cache._process.exit import call_at_exit, hook_worker_exit
from tiered_cache._process.fork import call_in_child, fork_safe_lock
from tiered_cache.stats.fleet.board_state import PROCESS, read_board
from tiered_cache.stats.fleet.reports import ProcessReport, encode
from tiered_cache.stats.fleet.upkeep import fold, tidy
from tiered_cache.stats.snapshot.fields import counters

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tiered_cache.clock import Clock
    from tiered_cache.contracts.boards import Board
    from tiered_cache.stats.fleet.outlet import Outlet
    from tiered_cache.stats.snapshot.cache_stats import CacheStats

__all__ = ["Publisher"]

_EVERY_S = 2.0
_SHARE = 0.001
"""The share of one core that publishing may take; the pauses are set by it."""

_LIVES = 3
"""Publications in a row that may fail before a process counts as ended."""

_GRACE_S = 5.0
_IDLE_S = 30.0
"""Seconds without a count after which the worker ends."""

_IDLE_LIFETIME_S = 300.0
"""Seconds for which an idle process still counts as running."""

_TIMES = frozenset({"compute_latency", "serialize_latency", "read_latency", "write_latency"})


class Publisher:
    """Publishes the statistics of this process every 2 seconds, or less often under load.

    Publishing takes at most a thousandth of a core. One daemon thread does it. The first lookup that
    is not inlined starts the thread, again in a forked child, and it ends after 30 seconds without a
    count. A process that stays idle for five minutes more counts as ended until its next lookup. A hit
    pays nothing.

    `close` and the exit of the process add its counts to the totals of ended processes. A killed
    process is noticed when its notice runs out; another process then adds the last notice to the
    totals. A process that was only frozen finds its notice gone, and publishes the rest of its counts
    under a new name.

    Thread-safe.

    Args:
        outlets: The boards.
        take: Makes a complete snapshot.
        counted: Makes a snapshot of the counters, without I/O.
        origin: Returns the name of this process, unique among all processes.
        clock: The time.

    Attributes:
        running: Whether the thread runs or is not needed. Each lookup reads it.
    """

    def __init__(
        self,
        outlets: Sequence[Outlet],
        take: Callable[[], CacheStats],
        counted: Callable[[], CacheStats],
        origin: Callable[[], str],
        clock: Clock,
    ) -> None:
        self.outlets = outlets
        self._take = take
        self._counted = counted
        self._origin = origin
        self._clock = clock
        self._lock = fork_safe_lock()
        self._serial = 0
        self.running: bool = not outlets
        self._start_empty()
        call_in_child(self._start_in_child)
        call_at_exit(self.close)

    def _start_empty(self) -> None:
        self._wakes = threading.Condition(self._lock)
        self._turn = threading.Lock()
        self._closed = False
        self._started_s = self._clock.wall()

    def _start_in_child(self) -> None:
        if self._closed:
            return
        self._start_empty()
        self.running = not self.outlets
        for outlet in self.outlets:
            # The parent publishes the counts up to the fork.
            outlet.rename(self._counted())

    def start(self) -> None:
        """Start the thread unless it runs."""
        with self._lock:
            if self.running or self._closed:
                return
            self.running = True
        hook_worker_exit()
        with contextlib.suppress(RuntimeError):  # no thread to be had: publish at exit only
            threading.Thread(target=self._work, name="tiered-cache-publisher", daemon=True).start()

    def _work(self) -> None:
        pause_s = _EVERY_S
        amount, since_s = -1.0, self._clock.monotonic()
        while self._sleep(pause_s):
            began_s = time.thread_time()
            stats = self._take()
            found = _amount(stats)
            if found != amount:
                amount, since_s = found, self._clock.monotonic()
            idle = self._clock.monotonic() - since_s >= _IDLE_S
            self.publish(_IDLE_LIFETIME_S if idle else pause_s * _LIVES + _GRACE_S, stats)
            self._tidy()
            if idle:
                break
            pause_s = max(_EVERY_S, (time.thread_time() - began_s) / _SHARE)
        self.running = self._closed

    def _tidy(self) -> None:
        now_s = self._clock.wall()
        for outlet in self.outlets:
            if outlet.minute != now_s // 60:
                outlet.guarded(tidy, outlet.board, now_s)
                outlet.minute = now_s // 60

    def _sleep(self, seconds: float) -> bool:
        with self._wakes:
            if not self._closed:
                self._wakes.wait(seconds)
            return not self._closed

    def report(
        self, outlet: Outlet, stats: CacheStats, *, since: CacheStats | None
    ) -> ProcessReport:
        """The report for a board: `stats`, less the counts of `since`."""
        origin = self._origin()
        if not outlet.name:
            with self._lock:
                self._serial += 1
                outlet.name = f"{origin}:{self._serial}"
        return ProcessReport(
            name=outlet.name,
            host=origin.split(":")[0],
            pid=os.getpid(),
            program=Path(sys.argv[0] or "python").name[:100],
            started_s=self._started_s,
            at_s=self._clock.wall(),
            stats=stats if since is None else stats - since,
        )

    def own(self, outlet: Outlet) -> ProcessReport:
        """The present report for a board."""
        with self._turn:
            return self.report(outlet, self._take(), since=outlet.before)

    def publish(self, lifetime_s: float, stats: CacheStats | None = None) -> None:
        """Publish on each board.

        Args:
            lifetime_s: Seconds for which the notice stays current.
            stats: The snapshot; taken now if `None`.
        """
        with self._turn:
            stats = self._take() if stats is None else stats
            for outlet in self.outlets:
                self._publish(outlet, stats, lifetime_s)

    def _publish(self, outlet: Outlet, stats: CacheStats, lifetime_s: float) -> None:
        put = outlet.board.put
        for _ in range(2):
            if not outlet.is_up:
                # First a notice with zero counts: should it be on the board twice, no count is.
                nothing = self.report(outlet, stats, since=stats)
                name, data = PROCESS + nothing.name, encode(nothing)
                if not outlet.guarded(put, name, data, lifetime_s, new=True).done:
                    return
                outlet.is_up = True
            report = self.report(outlet, stats, since=outlet.before)
            name, data = PROCESS + report.name, encode(report)
            answer = outlet.guarded(put, name, data, lifetime_s, new=False)
            if not answer.asked:
                return
            if not answer.done or answer.value:
                outlet.said = stats  # if the answer is lost, too: rather missing than counted twice
                return
            # Another process took this one for ended, and folded the last notice into the totals.
            outlet.rename(outlet.said or outlet.before)

    def close(self) -> None:
        """Publish a last time, add the counts to the totals, and end the thread."""
        with self._wakes:
            if self._closed:
                return
            self._closed = True
            self._wakes.notify_all()
        if not self.outlets:
            return
        stats = self._take()
        if not _amount(stats) and not any(outlet.is_up for outlet in self.outlets):
            return
        with self._turn:
            for outlet in self.outlets:
                self._publish(outlet, stats, 0.0)
                if outlet.is_up:
                    outlet.guarded(_fold_now, outlet.board, self._clock.wall())


def _fold_now(board: Board, now_s: float) -> bool:
    return fold(board, read_board(board), now_s)


def _amount(stats: CacheStats) -> float:
    """A number that grows with every count; 0 if nothing was counted."""
    numbers: list[float] = [
        getattr(each, name)
        for each in (stats, *stats.tiers)
        for name in counters(type(each))
        if name not in _TIMES
    ]
    return sum(numbers)
