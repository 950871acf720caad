"""A clock under the control of a test."""

from __future__ import annotations

import threading

__all__ = ["FakeClock"]


class FakeClock:
    """A `Clock` that moves only by `advance` and `set_wall`. Thread-safe.

    Args:
        start_wall: The first value of `wall()`, in seconds since the epoch.
        start_monotonic: The first value of `monotonic()`, in seconds.
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
        """Move both clocks forward by `seconds`.

        Raises:
            ValueError: `seconds` is negative or NaN.
        """
        if not seconds >= 0:
            msg = f"advance({seconds!r}): expected 0 or more; use set_wall() to step a clock back"
            raise ValueError(msg)
        with self._lock:
            self._monotonic += seconds
            self._wall += seconds

    def set_wall(self, wall: float) -> None:
        """Step the wall clock, as NTP or an administrator does. `monotonic()` does not change."""
        with self._lock:
            self._wall = float(wall)

    def __repr__(self) -> str:
        return f"FakeClock(start_wall={self._wall!r}, start_monotonic={self._monotonic!r})"
