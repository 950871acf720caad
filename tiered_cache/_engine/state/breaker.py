"""A circuit breaker: skip a tier that keeps failing, and probe it at intervals."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from tiered_cache._process.fork import fork_safe_lock

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Breaker", "BreakerState"]


class BreakerState(enum.StrEnum):
    """The calls that a breaker lets through."""

    CLOSED = "closed"
    """Every call."""
    OPEN = "open"
    """No call, until the probe interval has passed."""
    HALF_OPEN = "half_open"
    """One call, the probe, which decides."""


class Breaker:
    """Opens after a number of failures in a row; lets one probe through per interval.

    Source: M. Nygard, "Release It!", 2nd ed., section "Circuit Breaker".

    Args:
        failures_to_open: How many failures in a row open it.
        probe_interval_s: How long it stays open before a probe.
        monotonic: The clock.
        changed: Called, without a lock held, with the new state.

    Thread-safe. A closed breaker that never failed costs two attribute reads a call.
    """

    def __init__(
        self,
        failures_to_open: int,
        probe_interval_s: float,
        monotonic: Callable[[], float],
        changed: Callable[[BreakerState], None],
    ) -> None:
        self._failures_to_open = failures_to_open
        self._probe_interval_s = probe_interval_s
        self._monotonic = monotonic
        self._changed = changed
        self._lock = fork_safe_lock()
        self._failures = 0
        self._probe_at = 0.0
        self.state = BreakerState.CLOSED
        self.failing = False
        """Whether a failure was counted that a success would reset."""

    def allows(self) -> bool:
        """Whether a call may be made now. After a yes, call `succeeded` or `failed`."""
        if self.state is BreakerState.CLOSED:
            return True
        with self._lock:
            now = self._monotonic()
            if now < self._probe_at:
                return False
            # A probe that never reports, because its thread was killed, is replaced after an interval.
            self._probe_at = now + self._probe_interval_s
            self.state = BreakerState.HALF_OPEN
        self._changed(BreakerState.HALF_OPEN)
        return True

    def succeeded(self) -> None:
        """Close: a call succeeded."""
        if not self.failing:
            return
        with self._lock:
            was_closed = self.state is BreakerState.CLOSED
            self._failures = 0
            self.failing = False
            self.state = BreakerState.CLOSED
        if not was_closed:
            self._changed(BreakerState.CLOSED)

    def failed(self) -> None:
        """Count a failed call; open if it was the probe, or the last one allowed."""
        with self._lock:
            self._failures += 1
            self.failing = True
            # A call that began before it opened may fail long after; that must not postpone the probe.
            opens = self.state is BreakerState.HALF_OPEN or (
                self.state is BreakerState.CLOSED and self._failures >= self._failures_to_open
            )
            if opens:
                self.state = BreakerState.OPEN
                self._probe_at = self._monotonic() + self._probe_interval_s
        if opens:
            self._changed(BreakerState.OPEN)

    def trip(self) -> None:
        """Open at once: calls are known to fail."""
        with self._lock:
            self._failures = self._failures_to_open
            self.failing = True
            self.state = BreakerState.OPEN
            self._probe_at = self._monotonic() + self._probe_interval_s
