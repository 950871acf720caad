"""Count every operation."""

from __future__ import annotations

__all__ = ["Counters"]


class Counters:
    """The statistics policy that counts every operation, exactly, also under threads.

    It adds one C call to a hit in memory, and a lock to an operation on another tier. Stateless:
    caches may share one.
    """

    one_in = 1
    latencies = False
