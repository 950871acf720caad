"""The threads that recompute values while the old ones are served."""

from __future__ import annotations

import contextlib
import contextvars
import logging
import threading
from collections import deque
from typing import TYPE_CHECKING

from tiered_cache._process.fork import call_in_child, fork_safe_lock
from tiered_cache.errors import CacheClosedError, show_key

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from tiered_cache._engine.effects import Refresh
    from tiered_cache._engine.stack import Stack

__all__ = ["Refresher", "reporting"]

_log = logging.getLogger("tiered_cache")

_MAX_THREADS = 4
_MAX_WAITING = 1000
_IDLE_S = 5.0


@contextlib.contextmanager
def reporting(stack: Stack, key: str) -> Generator[None]:
    """Log a failed recomputation instead of raising it. A closed cache is not a failure."""
    try:
        yield
    except CacheClosedError:
        pass
    except Exception as error:
        kind = type(error).__name__
        message = (
            f"Recomputing {show_key(key)} raised {kind}; the old value is served until it expires"
        )
        stack.faults.report("refresh", kind, message)


class Refresher:
    """Recomputes each key once at a time, in a few daemon threads that end when they are idle.

    A request that finds the queue full is dropped: the old value is served, and its next hit asks
    again. So are requests that still wait when the process ends. Thread-safe; a forked child starts
    without requests.

    Args:
        recompute: Recomputes some keys of a request. Its exceptions are logged.
    """

    def __init__(self, recompute: Callable[[Refresh, Sequence[str]], None]) -> None:
        self._recompute = recompute
        self._lock = fork_safe_lock()
        self._ready = threading.Condition(self._lock)
        self._start_empty()
        call_in_child(self._start_empty)

    def _start_empty(self) -> None:
        self._ready = threading.Condition(self._lock)
        self._keys: set[str] = set()
        self._jobs: deque[tuple[Sequence[str], contextvars.Context, Refresh]] = deque()
        self._threads = 0
        self._idle = 0
        self._closed = False

    def submit(self, wanted: Refresh) -> bool:
        """Recompute the keys that are not being recomputed, in the caller's context.

        Returns:
            Whether there is such a key, and room for it.
        """
        with self._ready:
            free = [key for key in wanted.seen if key not in self._keys]
            if self._closed or not free or len(self._jobs) >= _MAX_WAITING:
                return False
            self._keys.update(free)
            self._jobs.append((free, contextvars.copy_context(), wanted))
            # An idle thread that was notified still counts as idle, until it takes its job.
            starts = len(self._jobs) > self._idle and self._threads < _MAX_THREADS
            self._threads += starts
            self._ready.notify()
        return not starts or self._start_thread()

    def _start_thread(self) -> bool:
        """Start a thread that is counted already; whether any thread does the jobs."""
        worker = threading.Thread(target=self._work, name="tiered-cache-refresher", daemon=True)
        try:
            worker.start()
        except RuntimeError:  # the limit of threads is reached, or the process ends
            with self._ready:
                self._threads -= 1
                if self._threads:
                    return True
                self._jobs.clear()
                self._keys.clear()
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
                keys, context, wanted = self._jobs.popleft()
            try:
                context.run(self._recompute, wanted, keys)
            except BaseException as error:
                # Such as `SystemExit`: a function may not end the program from this thread.
                _log.warning("Recomputing %s ended with %r", show_key(keys[0]), error)
            finally:
                with self._ready:
                    self._keys.difference_update(keys)

    def close(self) -> None:
        """Drop the requests that wait."""
        with self._ready:
            self._closed = True
            self._jobs.clear()
            self._ready.notify_all()
