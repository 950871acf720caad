"""Waiting for another caller's computation, and its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache._engine.effects import AwaitFlight, ComputeFailedError, Plan
from tiered_cache._engine.plans.compute import end_with
from tiered_cache._engine.plans.read import promote
from tiered_cache._engine.plans.search import peek
from tiered_cache._engine.state.flights import Raised, Returned, leading
from tiered_cache.errors import ComputationTimeoutError
from tiered_cache.options import OnTimeout
from tiered_cache.results import LookupStatus

if TYPE_CHECKING:
    from tiered_cache._engine.plans.search import Search
    from tiered_cache._engine.stack import Stack
    from tiered_cache._engine.state.flights import Flight
    from tiered_cache.entry import Entry

__all__ = ["await_flight", "fallback", "receive", "take_over"]


_CHECK_S = 1.0
"""Seconds between a waiter's checks whether the leader's event loop was closed."""


def await_flight(stack: Stack, flight: Flight) -> Plan[bool]:
    """Wait for the end of a flight; whether it came in time."""
    stack.count_wait()
    left_s = stack.options.single_flight.timeout_s
    try:
        while True:
            wait_s = left_s if flight.is_lost is None else min(left_s, _CHECK_S)
            if (yield AwaitFlight(flight, wait_s)):
                return True
            if flight.is_lost is not None and flight.is_lost():
                stack.flights.retire(flight)  # its leader can't
            left_s -= wait_s
            if left_s <= 0:
                return False
    finally:
        stack.flights.leave(flight)


def receive(stack: Stack, key: str, outcome: Returned | Raised) -> Plan[Any]:
    """The outcome of a flight, as a lookup would have served it."""
    stack.count_coalesced()
    if isinstance(outcome, Raised):
        raise ComputeFailedError(outcome.error)
    first = stack.levels[0]
    if not first.is_live:
        finding = yield from peek(stack, first, key)
        if finding.status is LookupStatus.HIT and finding.entry is not None:
            return finding.entry.value
    return outcome.value


def take_over(
    stack: Stack, key: str, found: Search, entry: Entry, flight: Flight | None
) -> Plan[Any]:
    """Serve a value that another caller computed between a lookup and the next."""
    stack.count_coalesced()
    yield from promote(stack, key, found)
    end_with(flight, entry.value)
    return entry.value


def fallback(stack: Stack, key: str, missed: Search) -> Entry | None:
    """The stale entry for a caller that has waited long enough; `None` if it is to compute.

    Raises:
        ComputationTimeoutError: As `SingleFlight(on_timeout="raise")` wants.
    """
    single_flight = stack.options.single_flight
    # From within a computation the wait may have been cut short: see `lease.patience_s`.
    if single_flight.on_timeout is OnTimeout.RAISE and not leading.get():
        msg = (
            f"another caller has been computing this key for more than {single_flight.timeout_s:g} s. "
            "Try again later, or give SingleFlight a longer timeout or another on_timeout"
        )
        raise ComputationTimeoutError(msg, operation="get_or_compute", key=key)
    return missed.entry if single_flight.on_timeout is OnTimeout.STALE else None
