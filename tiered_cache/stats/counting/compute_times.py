"""The number of computations and their times."""

from __future__ import annotations

from typing import Any

from tiered_cache_policies.latency_histogram import LatencyHistogram

__all__ = ["ComputeTimes"]


class ComputeTimes:
    """Counts computations and their seconds. Callers hold a lock."""

    __slots__ = ("computes", "errors", "seconds", "times")

    def __init__(self) -> None:
        self.computes = 0
        self.errors = 0
        self.seconds = 0.0
        self.times = LatencyHistogram()

    def add(self, seconds: float, failed: bool) -> None:
        """Count one computation."""
        self.seconds += seconds
        self.times.record(seconds)
        if failed:
            self.errors += 1
        else:
            self.computes += 1

    def fields(self) -> dict[str, Any]:
        """The fields of a snapshot."""
        return {
            "computes": self.computes,
            "compute_errors": self.errors,
            "compute_seconds": self.seconds,
            "compute_latency": self.times.copy(),
        }
