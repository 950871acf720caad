"""A count for places where a lock would cost too much."""

from __future__ import annotations

import itertools

from tiered_cache._process.fork import fork_safe_lock

__all__ = ["Tally"]


class Tally:
    """A count that costs one C call to add to, and no lock: `tally.add()`.

    `itertools.count` hands every number out exactly once, to one thread. Reading takes a number
    as well, which is then subtracted again.
    """

    __slots__ = ("_lock", "_taken", "add", "counter")

    def __init__(self) -> None:
        self.counter = itertools.count(1)
        self.add = self.counter.__next__
        self._taken = 0
        self._lock = fork_safe_lock()

    def read(self) -> int:
        """How often somebody else added to it."""
        with self._lock:
            self._taken += 1
            return next(self.counter) - self._taken
