"""Count everything."""

from __future__ import annotations

__all__ = ["Counters"]


class Counters:
    """The statistics policy that counts every operation, exactly, also under threads.

    A hit in memory costs one C call for it, an operation on another tier a lock. It has no state, so
    caches may share one.
    """

    one_in = 1
    latencies = False
