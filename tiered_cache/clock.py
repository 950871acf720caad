"""The clock: every module takes the time from a `Clock` that it is given."""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["SKEW_ALLOWANCE_S", "SYSTEM_CLOCK", "Clock", "SystemClock"]

SKEW_ALLOWANCE_S = 5.0
"""Seconds that the clocks of two hosts may differ before a record counts as written in the future."""


class Clock(Protocol):
    """The source of time of a cache.

    Implementers must make both methods callable from any thread, without blocking. Callers compare
    `monotonic()` only within a process, and `wall()` across processes and hosts.
    """

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back."""
        ...

    def wall(self) -> float:
        """Seconds since the Unix epoch; an administrator may step it."""
        ...


class SystemClock:
    """The machine's own clocks.

    The methods are the standard library's functions themselves. The L1 hit path calls one for every
    lookup, and a Python frame around it would cost as much as the lookup.
    """

    monotonic: staticmethod[[], float] = staticmethod(time.monotonic)
    wall: staticmethod[[], float] = staticmethod(time.time)


SYSTEM_CLOCK = SystemClock()
