"""A clock that stands still until a test moves it."""

from __future__ import annotations

import threading

__all__ = ["FakeClock"]


class FakeClock:
    """A `Clock` that goes on only when it is told to.

    Args:
        start_wall: What `wall()` says at first, in seconds since the epoch.
        start_monotonic: What `monotonic()` says at first, in seconds.

    Thread-safe.
    """

    def __init__(
        self, *, start_wall: float = 1_700_000_000.0, start_monotonic: float = 1_000.0
    ) -> None:
        self._wall = float(start_wall)
        self._monotonic = float(start_monotonic)
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        """Seconds from an arbitrary start."""
        return self._monotonic

    def wall(self) -> float:
        """Seconds since the epoch."""
        return self._wall

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass, on both clocks; `ValueError` if they are negative or NaN."""
        if not seconds >= 0:
            msg = f"time only goes on: advance({seconds!r}) is negative; to step a clock back, use set_wall()"
            raise ValueError(msg)
        with self._lock:
            self._monotonic += seconds
            self._wall += seconds

    def set_wall(self, wall: float) -> None:
        """Step the wall clock, as an administrator or NTP does; `monotonic()` does not notice."""
        with self._lock:
            self._wall = float(wall)

    def __repr__(self) -> str:
        return f"FakeClock(start_wall={self._wall!r}, start_monotonic={self._monotonic!r})"
