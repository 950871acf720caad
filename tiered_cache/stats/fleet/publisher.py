"""The thread that publishes what this process did, for whoever looks."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tiered_cache._process.exit import call_at_exit, hook_worker_exit
from tiered_cache._process.fork import call_in_child, fork_safe_lock
from tiered_cache.stats.fleet.fleet_stats import PROCESS, fold, read_now, tidy
from tiered_cache.stats.fleet.reports import ProcessReport, encode
from tiered_cache.stats.snapshot.fields import counters

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tiered_cache.clock import Clock
    from tiered_cache.contracts.boards import Board
    from tiered_cache.stats.snapshot.cache_stats import CacheStats

__all__ = ["Answer", "Outlet", "Publisher"]

_EVERY_S = 2.0
_SHARE = 0.001
"""Of a core, what publishing may take: the pause after it is so much longer."""

_LIVES = 3
"""How many publications in a row may fail before a process counts as gone."""

_GRACE_S = 5.0
_IDLE_S = 30.0
"""How long after anything was counted the thread ends."""

_IDLE_LIFETIME_S = 300.0
"""How long a process that does nothing counts as running."""

_TIMES = frozenset({"compute_latency", "serialize_latency", "read_latency", "write_latency"})


class Answer(NamedTuple):
    """What came of a call of a board's method.

    Attributes:
        asked: Whether the board was asked at all.
        done: Whether it answered.
        value: What it answered.
    """

    asked: bool
    done: bool
    value: Any = None


class Outlet:
    """A board, with what this process has on it.

    Args:
        board: The board.
        reach: Who shares it: `"host"` or `"cluster"`.
        guarded: Calls a function that uses the board, if its tier is well, and never raises.

    Attributes:
        name: Of this process's notice; `""` until it has one.
        hangs: Whether it hangs there, as far as is known here.
        before: What is in the totals already, or was done by the parent process.
        said: What the notice says, or may say.
        minute: The last minute in which the board was tidied, or found tidy.
    """

    def __init__(self, board: Board, reach: str, guarded: Callable[..., Answer]) -> None:
        self.board = board
        self.reach = reach
        self.guarded = guarded
        self.minute = 0.0
        self.start_anew(None)

    def start_anew(self, before: CacheStats | None) -> None:
        """Say under another name what was done since `before`."""
        self.name = ""
        self.hangs = False
        self.before = before
        self.said: CacheStats | None = None


class Publisher:
    """Publishes the statistics of a process every 2 seconds, or as seldom as costs a thousandth of a core.

    In one daemon thread, which the first lookup that is not inlined starts, in a forked child again,
    and which ends when nothing was counted for half a minute: a process that does nothing for five
    minutes more counts as gone until it does something. A hit pays nothing. When the cache is closed and at the exit of the process, what it did is added
    to the totals of those that are gone. A process that is killed is found to be gone when it has not
    published for a while, and another one adds its last publication to the totals. One that was only
    frozen finds that out, and goes on with what it did since.

    Args:
        outlets: The boards.
        take: Makes a snapshot of everything.
        counted: Makes one of the counters, without I/O.
        origin: Gives who this is, among all processes.
        clock: The time.
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
        self.running = not outlets
        """Whether there is nothing to start: an attribute, because every lookup asks."""
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
            # What the parent did before is in the parent's numbers.
            outlet.start_anew(self._counted())

    def start(self) -> None:
        """Start the thread, if it does not run."""
        with self._lock:
            if self.running or self._closed:
                return
            self.running = True
        hook_worker_exit()
        with contextlib.suppress(RuntimeError):  # as many as there may be: at the end, then
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
        """What this process has to say on a board: what it did since it did `since`."""
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
        """What this process has to say on a board now."""
        with self._turn:
            return self.report(outlet, self._take(), since=outlet.before)

    def publish(self, lifetime_s: float, stats: CacheStats | None = None) -> None:
        """Put on each board what this process did, current for so long."""
        with self._turn:
            stats = self._take() if stats is None else stats
            for outlet in self.outlets:
                self._publish(outlet, stats, lifetime_s)

    def _publish(self, outlet: Outlet, stats: CacheStats, lifetime_s: float) -> None:
        put = outlet.board.put
        for _ in range(2):
            if not outlet.hangs:
                # First that nothing happened: should that be there twice, nothing is counted twice.
                nothing = self.report(outlet, stats, since=stats)
                name, data = PROCESS + nothing.name, encode(nothing)
                if not outlet.guarded(put, name, data, lifetime_s, new=True).done:
                    return
                outlet.hangs = True
            report = self.report(outlet, stats, since=outlet.before)
            name, data = PROCESS + report.name, encode(report)
            answer = outlet.guarded(put, name, data, lifetime_s, new=False)
            if not answer.asked:
                return
            if not answer.done or answer.value:
                outlet.said = stats  # or it may be so: if in doubt, it is not counted once more
                return
            # Others took this process for gone, and added up what it had said.
            outlet.start_anew(outlet.said or outlet.before)

    def close(self) -> None:
        """Publish for the last time, and end the thread."""
        with self._wakes:
            if self._closed:
                return
            self._closed = True
            self._wakes.notify_all()
        if not self.outlets:
            return
        stats = self._take()
        if not _amount(stats) and not any(outlet.hangs for outlet in self.outlets):
            return
        with self._turn:
            for outlet in self.outlets:
                self._publish(outlet, stats, 0.0)
                if outlet.hangs:
                    outlet.guarded(_fold_now, outlet.board, self._clock.wall())


def _fold_now(board: Board, now_s: float) -> bool:
    return fold(board, read_now(board), now_s)


def _amount(stats: CacheStats) -> float:
    """A number that grows with whatever is counted; 0 if nothing was."""
    numbers: list[float] = [
        getattr(each, name)
        for each in (stats, *stats.tiers)
        for name in counters(type(each))
        if name not in _TIMES
    ]
    return sum(numbers)
