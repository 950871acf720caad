"""Parts of the plans in which callers share a computation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache._engine.effects import AwaitFlight, Compute, ComputeFailedError, Plan
from tiered_cache._engine.plans.read import promote
from tiered_cache._engine.plans.seek import peek
from tiered_cache._engine.state.flights import Raised, Returned
from tiered_cache._engine.terms import is_used_up
from tiered_cache.errors import ComputationTimeoutError
from tiered_cache.options import OnTimeout

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tiered_cache._engine.effects import Computed
    from tiered_cache._engine.plans.seek import Sought
    from tiered_cache._engine.stack import Stack
    from tiered_cache._engine.state.flights import Flight

__all__ = ["call", "end_with", "found_in", "raise_if_impatient", "received", "wait"]


_LOOK_S = 1.0
"""How often who waits for an event loop's computation looks whether the loop was closed."""


def call(
    function: Callable[[], object], keys: Sequence[str], flights: Sequence[Flight]
) -> Plan[Computed]:
    """Have the caller's function called, for some flights, which end with what it raises."""
    try:
        computed: Computed = yield Compute(function, keys, flights)
    except ComputeFailedError as failed:
        # An interruption is the leader's own: the waiters go on without it.
        if isinstance(failed.error, Exception):
            for flight in flights:
                flight.end(Raised(failed.error))
        raise
    return computed


def wait(stack: Stack, flight: Flight) -> Plan[bool]:
    """Wait for the end of a flight; whether it came in time."""
    stack.count_wait()
    left_s = stack.options.single_flight.timeout_s
    try:
        while True:
            wait_s = left_s if flight.is_lost is None else min(left_s, _LOOK_S)
            if (yield AwaitFlight(flight, wait_s)):
                return True
            if flight.is_lost is not None and flight.is_lost():
                stack.flights.retire(flight)  # in the name of its leader
            left_s -= wait_s
            if left_s <= 0:
                return False
    finally:
        stack.flights.leave(flight)


def received(stack: Stack, key: str, outcome: Returned | Raised) -> Plan[Any]:
    """What a flight ended with, as a lookup would have handed it out."""
    stack.count_coalesced()
    if isinstance(outcome, Raised):
        raise ComputeFailedError(outcome.error)
    first = stack.levels[0]
    if not first.is_live:
        finding = yield from peek(stack, first, key)
        if finding.outcome == "hits" and finding.entry is not None:
            return finding.entry.value
    return outcome.value


def found_in(stack: Stack, key: str, again: Sought, flight: Flight | None) -> Plan[Any]:
    """Hand out what somebody else computed between a lookup and the next."""
    value: Any = None
    stack.count_coalesced()
    if again.finding is not None and again.finding.entry is not None:
        value = again.finding.entry.value
        yield from promote(stack, key, again)
        end_with(flight, value)
    return value


def end_with(flight: Flight | None, value: object) -> None:
    """Give `value` to those who wait for `flight`, if there is one and the value can be shared."""
    if flight is not None and not is_used_up(value):
        flight.end(Returned(value))


def raise_if_impatient(stack: Stack, key: str) -> None:
    """Raise, where that is what a caller does who has waited long enough."""
    single_flight = stack.options.single_flight
    if single_flight.on_timeout is OnTimeout.RAISE:
        msg = (
            f"another caller has been computing this key for more than {single_flight.timeout_s:g} s. "
            "Try again later, or give SingleFlight a longer timeout or another on_timeout"
        )
        raise ComputationTimeoutError(msg, operation="get_or_compute", key=key)
