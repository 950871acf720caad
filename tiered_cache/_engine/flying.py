"""The plans of a computation that several callers share (law 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from tiered_cache._engine.effects import AwaitFlight, Compute, ComputeFailedError, Plan
from tiered_cache._engine.flights import Raised, Returned
from tiered_cache._engine.keeping import keep
from tiered_cache._engine.reading import look_again, peek
from tiered_cache.errors import ComputationTimeoutError
from tiered_cache.single_flight import OnTimeout

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tiered_cache._engine.effects import Computed
    from tiered_cache._engine.flights import Flight
    from tiered_cache._engine.reading import Sought
    from tiered_cache._engine.stack import Stack
    from tiered_cache._engine.terms import Terms

__all__ = ["compute_for", "compute_many_once", "compute_once"]

T = TypeVar("T")


def compute_once(
    stack: Stack, key: str, compute: Callable[[], T], terms: Terms, sought: Sought
) -> Plan[T]:
    """The value that `compute` returns, here or for another caller who asked before."""
    while True:
        flight, leads = stack.flights.board(key)
        if flight is None:
            return (yield from compute_for(stack, key, compute, terms, sought, None))
        if leads:
            return (yield from _lead(stack, key, compute, terms, sought, flight))
        if not (yield from _wait(stack, flight)):
            return (yield from _in_vain(stack, key, compute, terms, sought))
        if flight.outcome is not None:
            stack.count_coalesced()
            shared: T = yield from _received(stack, key, flight.outcome)
            return shared


def compute_many_once(
    stack: Stack,
    compute_many: Callable[[Sequence[str]], Mapping[str, T]],
    terms: Terms,
    missing: Mapping[str, Sought],
) -> Plan[dict[str, T]]:
    """The values of `missing` keys that `compute_many` gives in one call, or other callers have.

    It waits for others only when it has computed what is its own, so that two callers who lead
    some of each other's keys don't wait for each other.
    """
    values: dict[str, T] = {}
    alone = set[str]()
    while missing:
        own: dict[str, Flight | None] = {}
        others: dict[str, Flight] = {}
        for key in missing:
            flight, leads = (None, False) if key in alone else stack.flights.board(key)
            if leads or flight is None:
                own[key] = flight
            else:
                others[key] = flight
        if own:
            mine = {key: missing[key] for key in own}
            values |= yield from _lead_many(stack, compute_many, terms, mine, own)
        missing = {key: missing[key] for key in others}
        for key, flight in others.items():
            if not (yield from _wait(stack, flight)):
                _raise_if_impatient(stack, key)
                alone.add(key)
            elif flight.outcome is not None:
                stack.count_coalesced()
                values[key] = yield from _received(stack, key, flight.outcome)
                del missing[key]
    return values


def _lead(
    stack: Stack, key: str, compute: Callable[[], T], terms: Terms, sought: Sought, flight: Flight
) -> Plan[T]:
    try:
        if stack.flights.ended(key) != sought.ended:
            sought = yield from look_again(stack, key)
            if sought.finding is not None and sought.finding.entry is not None:
                found: T = sought.finding.entry.value
                flight.end(Returned(found))
                return found
        return (yield from compute_for(stack, key, compute, terms, sought, flight))
    finally:
        stack.flights.retire(flight)


def compute_for(
    stack: Stack,
    key: str,
    compute: Callable[[], T],
    terms: Terms,
    sought: Sought,
    flight: Flight | None,
) -> Plan[T]:
    """Compute `key` and keep it; the flight, if there is one, ends with the value."""
    computed: Computed = yield from _call(compute, (key,), [] if flight is None else [flight])
    if flight is not None and stack.levels[0].is_live:
        flight.end(Returned(computed.value))
    yield from keep(stack, key, computed.value, terms, computed, sought)
    if flight is not None:
        # Where the first tier hands out copies, it must have the value before the waiters look.
        flight.end(Returned(computed.value))
    value: T = computed.value
    return value


def _lead_many(
    stack: Stack,
    compute_many: Callable[[Sequence[str]], Mapping[str, T]],
    terms: Terms,
    mine: dict[str, Sought],
    own: Mapping[str, Flight | None],
) -> Plan[dict[str, T]]:
    flights = {key: flight for key, flight in own.items() if flight is not None}
    values: dict[str, T] = {}
    try:
        for key, flight in flights.items():
            if stack.flights.ended(key) != mine[key].ended:
                again = yield from look_again(stack, key)
                mine[key] = again
                if again.finding is not None and again.finding.entry is not None:
                    found: Any = again.finding.entry.value
                    values[key] = found
                    flight.end(Returned(found))
        wanted = [key for key in mine if key not in values]
        if wanted:
            computed: Computed = yield from _call(
                lambda: dict(compute_many(wanted)), wanted, list(flights.values())
            )
            made: Mapping[str, T] = computed.value
            for key in wanted:
                if key in made:
                    values[key] = made[key]
                    yield from keep(stack, key, made[key], terms, computed, mine[key])
                    if key in flights:
                        flights[key].end(Returned(made[key]))
    finally:
        for flight in flights.values():
            stack.flights.retire(flight)
    return values


def _call(
    function: Callable[[], object], keys: Sequence[str], flights: Sequence[Flight]
) -> Plan[Computed]:
    try:
        computed: Computed = yield Compute(function, keys, flights)
    except ComputeFailedError as failed:
        # An interruption is the leader's own: the waiters go on without it.
        if isinstance(failed.error, Exception):
            for flight in flights:
                flight.end(Raised(failed.error))
        raise
    return computed


def _wait(stack: Stack, flight: Flight) -> Plan[bool]:
    """Wait for the end of a flight; whether it came in time."""
    try:
        over: bool = yield AwaitFlight(flight, stack.options.single_flight.timeout_s)
    finally:
        stack.flights.leave(flight)
    return over


def _received(stack: Stack, key: str, outcome: Returned | Raised) -> Plan[Any]:
    """What a flight ended with, as a lookup would have handed it out."""
    if isinstance(outcome, Raised):
        raise ComputeFailedError(outcome.error)
    first = stack.levels[0]
    if not first.is_live:
        finding = yield from peek(stack, first, key)
        if finding.outcome == "hits" and finding.entry is not None:
            return finding.entry.value
    return outcome.value


def _in_vain(
    stack: Stack, key: str, compute: Callable[[], T], terms: Terms, sought: Sought
) -> Plan[T]:
    """What a caller does who has waited long enough."""
    _raise_if_impatient(stack, key)
    stale = sought.finding
    if (
        stack.options.single_flight.on_timeout is OnTimeout.STALE
        and stale is not None
        and stale.entry is not None
    ):
        value: T = stale.entry.value
        return value
    return (yield from compute_for(stack, key, compute, terms, sought, None))


def _raise_if_impatient(stack: Stack, key: str) -> None:
    """Raise, where that is what a caller does who has waited long enough."""
    single_flight = stack.options.single_flight
    if single_flight.on_timeout is OnTimeout.RAISE:
        msg = (
            f"another caller has been computing this key for more than {single_flight.timeout_s:g} s. "
            "Try again later, or give SingleFlight a longer timeout or another on_timeout"
        )
        raise ComputationTimeoutError(msg, operation="get_or_compute", key=key)
