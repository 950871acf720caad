"""Computations: their number, their times, and how many repeat an earlier one."""

from __future__ import annotations

from typing import Any

from tiered_cache._process.fork import fork_safe_lock
from tiered_cache_policies.latency_histogram import LatencyHistogram

__all__ = ["ComputeTimes", "Repeats"]

_MAX_FOLLOWED = 2048
_DIGEST_BITS = 60


class ComputeTimes:
    """Counts computations and their seconds. Callers hold a lock."""

    __slots__ = ("computes", "errors", "seconds", "times")

    def __init__(self) -> None:
        self.computes: int = 0
        self.errors: int = 0
        self.seconds: float = 0.0
        self.times: LatencyHistogram = LatencyHistogram()

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


class Repeats:
    """Counts repeated computations in a sample of the keys.

    The sample holds the keys with a digest below a threshold, which halves when the sample grows
    past 2048 keys. A key in the sample was therefore followed since its first computation.

    Thread-safe. At most some 200 KiB.
    """

    def __init__(self) -> None:
        self._lock = fork_safe_lock()
        self._bits = _DIGEST_BITS
        self._followed: set[int] = set()
        self._repeated = 0.0

    def computed(self, key: str) -> None:
        """Count a computation of `key`."""
        digest = hash(key) & ((1 << _DIGEST_BITS) - 1)
        if digest >> self._bits:
            return
        with self._lock:
            if digest in self._followed:
                self._repeated += float(1 << (_DIGEST_BITS - self._bits))
                return
            self._followed.add(digest)
            while len(self._followed) > _MAX_FOLLOWED:
                self._bits -= 1
                self._followed = {each for each in self._followed if not each >> self._bits}

    def read(self) -> float:
        """The estimated number of repeats; exact up to 2048 different keys."""
        with self._lock:
            return self._repeated
