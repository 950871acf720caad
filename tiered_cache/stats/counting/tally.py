"""A counter without a lock, for hits and misses that cost less than a lock."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from tiered_cache._process.fork import fork_safe_lock

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Tally"]


class Tally:
    """A counter. `tally.add()` is one C call and takes no lock.

    `itertools.count` hands out each number once, to one thread. A read takes a number too, and
    subtracts it again. Thread-safe.
    """

    __slots__ = ("_lock", "_taken", "add", "counter")

    def __init__(self) -> None:
        self.counter: itertools.count[int] = itertools.count(1)
        self.add: Callable[[], int] = self.counter.__next__
        self._taken = 0
        self._lock = fork_safe_lock()

    def read(self) -> int:
        """The number of calls of `add`."""
        with self._lock:
            self._taken += 1
            return next(self.counter) - self._taken
