"""Computing values anew while the old ones are served, and the threads that do it."""

from __future__ import annotations

import contextvars
import logging
import threading
from collections import deque
from typing import TYPE_CHECKING

from tiered_cache._engine.effects import RefreshMany
from tiered_cache._engine.plans.single_flight import Task, refresh_once
from tiered_cache._engine.plans.single_flight_many import refresh_many_once
from tiered_cache._engine.state.flights import leading
from tiered_cache._process.fork import call_in_child, fork_safe_lock
from tiered_cache.errors import show_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tiered_cache._engine.effects import Plan, Refresh
    from tiered_cache._engine.stack import Stack

__all__ = ["Refresher", "recomputing", "report_failure"]

_log = logging.getLogger("tiered_cache")

_MAX_THREADS = 4
_MAX_WAITING = 1000
_IDLE_S = 5.0


def recomputing(stack: Stack, wanted: Refresh | RefreshMany, keys: Sequence[str]) -> Plan[None]:
    """The plan that computes some keys of what is wanted anew, for nobody who waits for it."""
    leading.set(())  # in a copy of the context of the caller, who is served without it
    if isinstance(wanted, RefreshMany):
        seen = {key: wanted.seen[key] for key in keys}
        yield from refresh_many_once(stack, wanted.function, wanted.terms, seen)
    else:
        task = Task(wanted.key, wanted.function, wanted.terms)
        yield from refresh_once(stack, task, wanted.seen_s)


def report_failure(stack: Stack, key: str, error: Exception) -> None:
    """Log that a value could not be computed anew."""
    stack.faults.report(
        "refresh",
        type(error).__name__,
        f"Computing {show_key(key)} anew raised {type(error).__name__}; what there is is served "
        "until it ends",
    )


class Refresher:
    """Does one job for each key at a time, in a few daemon threads that end when they are idle.

    What finds the queue full is not done: the value is served as it is, and its next hit asks
    again. Jobs that still wait when the process ends are not done either. Thread-safe; a forked
    child starts without jobs.
    """

    def __init__(self) -> None:
        self._lock = fork_safe_lock()
        self._ready = threading.Condition(self._lock)
        self._start_empty()
        call_in_child(self._start_empty)

    def _start_empty(self) -> None:
        self._ready = threading.Condition(self._lock)
        self._keys: set[str] = set()
        self._jobs: deque[tuple[Sequence[str], contextvars.Context, Callable[[], object]]] = deque()
        self._threads = 0
        self._idle = 0
        self._closed = False

    def submit(self, key: str, job: Callable[[], object]) -> bool:
        """Have `job` done in the caller's context; false if one of the key is, or too many wait.

        A job must not raise.
        """
        return self.submit_many([key], lambda _: job())

    def submit_many(self, keys: Iterable[str], job: Callable[[Sequence[str]], object]) -> bool:
        """Have `job` done for those of `keys` of which none is, in one go; false if there are none."""
        with self._ready:
            free = [key for key in keys if key not in self._keys]
            if self._closed or not free or len(self._jobs) >= _MAX_WAITING:
                return False
            self._keys.update(free)
            self._jobs.append((free, contextvars.copy_context(), lambda: job(free)))
            # An idle thread that was notified still counts as idle, until it takes its job.
            starts = len(self._jobs) > self._idle and self._threads < _MAX_THREADS
            self._threads += starts
            self._ready.notify()
        return not starts or self._start_thread()

    def _start_thread(self) -> bool:
        """Start one of those threads that are counted; whether there is one that does the jobs."""
        worker = threading.Thread(target=self._work, name="tiered-cache-refresher", daemon=True)
        try:
            worker.start()
        except RuntimeError:  # there are as many threads as there may be, or the process ends
            with self._ready:
                self._threads -= 1
                if self._threads:
                    return True
                self._jobs.clear()
                self._keys.clear()
                self._ready.notify_all()
                return False
        return True

    def _work(self) -> None:
        while True:
            with self._ready:
                self._idle += 1
                found = self._ready.wait_for(lambda: self._jobs or self._closed, _IDLE_S)
                self._idle -= 1
                if not found or not self._jobs:
                    self._threads -= 1
                    return
                keys, context, job = self._jobs.popleft()
            try:
                context.run(job)
            except BaseException as error:
                # Of a function that wants the program to end, say: it is not for this thread to.
                _log.warning("Computing %s anew ended with %r", show_key(keys[0]), error)
            finally:
                with self._ready:
                    self._keys.difference_update(keys)
                    self._ready.notify_all()

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until nothing is under way; whether nothing is."""
        with self._ready:
            return self._ready.wait_for(lambda: not self._keys, timeout_s)

    def close(self) -> None:
        """Begin nothing more."""
        with self._ready:
            self._closed = True
            self._jobs.clear()
            self._ready.notify_all()
