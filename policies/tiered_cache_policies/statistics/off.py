"""Count nothing."""

from __future__ import annotations

__all__ = ["Off"]


class Off:
    """The statistics policy that counts nothing.

    Snapshots then have `counted=False`. Of their numbers only the fill of the tiers is meaningful.
    Stateless: caches may share one.
    """

    one_in = 0
    latencies = False
