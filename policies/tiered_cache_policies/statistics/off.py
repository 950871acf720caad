"""Count nothing."""

from __future__ import annotations

__all__ = ["Off"]


class Off:
    """The statistics policy that counts nothing.

    Snapshots then say `counted=False`, and their numbers mean nothing but how full the tiers are.
    It has no state, so caches may share one.
    """

    one_in = 0
    latencies = False
