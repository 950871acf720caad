"""A plan that leads flights in a task of its own, and whether a caller still wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tiered_cache._engine.drivers.event_loop import EventLoop
    from tiered_cache._engine.state.flights import Flight, Flights

__all__ = ["LedPlan"]


class LedPlan:
    """Cancels the task of a plan once neither its caller nor a waiter wants the outcome.

    Args:
        loop: The loop in which the plan runs.
        flights: The flights of the cache.
    """

    __slots__ = ("_all", "_flights", "_has_caller", "_is_cancelled", "_loop", "cancel")

    def __init__(self, loop: EventLoop, flights: Flights) -> None:
        self._loop = loop
        self._all = flights
        self._flights: Sequence[Flight] = ()
        self._has_caller = True
        self._is_cancelled = False
        self.cancel: Callable[[], None] = _nothing

    def lead(self, flights: Sequence[Flight]) -> None:
        """Lead other flights from now on."""
        self._flights = flights
        for flight in flights:
            flight.deserted = self._deserted
            flight.is_lost = self._is_lost
        if not self._has_caller:
            self._desert()

    def leave(self) -> None:
        """Withdraw the caller."""
        self._has_caller = False
        self._desert()
        self._end_unless_wanted()

    def _desert(self) -> None:
        for flight in self._flights:
            self._all.desert(flight)

    @property
    def is_wanted(self) -> bool:
        """Whether the caller or a waiter wants the outcome."""
        return self._has_caller or any(flight.callers > 0 for flight in self._flights)

    def _is_lost(self) -> bool:
        return self._loop.is_closed

    def _deserted(self) -> None:
        self._loop.soon_from_thread(self._end_unless_wanted)

    def _end_unless_wanted(self) -> None:
        # Once: a second cancellation would interrupt the cleaning up after the first.
        if not self.is_wanted and not self._is_cancelled:
            self._is_cancelled = True
            self.cancel()


def _nothing() -> None:
    """For a plan that was not started yet."""
