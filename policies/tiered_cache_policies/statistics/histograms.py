"""Count every operation and its duration."""

from __future__ import annotations

__all__ = ["Histograms"]


class Histograms:
    """The statistics policy that counts every operation and keeps the distribution of durations.

    Each tier has a `LatencyHistogram` of its reads and one of its writes, with medians and
    percentiles. An inlined hit in memory is counted but not timed. The policy adds about a
    microsecond to each call of a tier. Stateless: caches may share one.
    """

    one_in = 1
    latencies = True
