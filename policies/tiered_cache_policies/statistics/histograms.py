"""Count everything, and how long it took."""

from __future__ import annotations

__all__ = ["Histograms"]


class Histograms:
    """The statistics policy that counts every operation and keeps the distribution of its times.

    For each tier the reads and the writes that call it go into a `LatencyHistogram`, so that there
    are medians and percentiles. A hit in memory that is inlined is counted but not timed. It costs
    about a microsecond more for each call of a tier. It has no state, so caches may share one.
    """

    one_in = 1
    latencies = True
