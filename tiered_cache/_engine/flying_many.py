"""The plan of a computation of several keys, each of which some caller may compute already."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from tiered_cache._engine.effects import Lead
from tiered_cache._engine.keeping import keep
from tiered_cache._engine.leasing import Lease, Taken, await_lease, give_back, patience_s, try_lease
from tiered_cache._engine.reading import look_again
from tiered_cache._engine.sharing import (
    call,
    end_with,
    found_in,
    raise_if_impatient,
    received,
    wait,
)
from tiered_cache._engine.tagging import versions_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tiered_cache._engine.effects import Plan
    from tiered_cache._engine.flights import Flight
    from tiered_cache._engine.seeking import Sought
    from tiered_cache._engine.stack import Stack
    from tiered_cache._engine.terms import Terms

__all__ = ["compute_many_once"]


class _Batch:
    """What one turn of a caller deals with.

    Attributes:
        flights: The flights that it leads, by key; `None` for a key that it computes for itself.
        others: The flights of other callers of this process.
        leases: The leases that it has.
        taken: The leases that other processes have.
    """

    def __init__(self) -> None:
        self.flights: dict[str, Flight | None] = {}
        self.others: dict[str, Flight] = {}
        self.leases: dict[str, Lease] = {}
        self.taken: dict[str, Taken] = {}


def compute_many_once(
    stack: Stack,
    compute_many: Callable[[Sequence[str]], dict[str, Any]],
    terms: Terms,
    missing: Mapping[str, Sought],
) -> Plan[dict[str, Any]]:
    """The values of `missing` keys that `compute_many` gives in one call, or other callers have.

    It waits only while it has nothing that others wait for, so that two callers who lead some of
    each other's keys don't wait for each other. What others give up is computed in a further call.
    """
    values: dict[str, Any] = {}
    wanted = dict(missing)
    alone: set[str] = set()
    left_s = patience_s(stack)
    while wanted:
        batch = _Batch()
        for key in wanted:
            flight, leads = (None, False) if key in alone else stack.flights.board(key)
            if leads or flight is None:
                batch.flights[key] = flight
            else:
                batch.others[key] = flight
        try:
            done = yield from _compute(stack, compute_many, terms, wanted, batch, values)
        except BaseException:
            for flight in batch.others.values():
                stack.flights.leave(flight)
            raise
        for key in done:
            del wanted[key]
        yield from _await_others(stack, batch.others, wanted, alone, values)
        for key, taken in batch.taken.items():
            left_s -= yield from await_lease(taken, max(0.0, left_s))
            again = yield from look_again(stack, key)
            if again.finding is not None:
                values[key] = yield from found_in(stack, key, again, None)
                del wanted[key]
            elif left_s <= 0:
                raise_if_impatient(stack, key)
                alone.add(key)
    return values


def _await_others(
    stack: Stack,
    others: dict[str, Flight],
    wanted: dict[str, Sought],
    alone: set[str],
    values: dict[str, Any],
) -> Plan[None]:
    """Take what other callers compute; what they don't in time goes to `alone`."""
    try:
        while others:
            key = next(iter(others))
            flight = others.pop(key)
            if not (yield from wait(stack, flight)):
                raise_if_impatient(stack, key)
                alone.add(key)
            elif flight.outcome is not None:
                values[key] = yield from received(stack, key, flight.outcome)
                del wanted[key]
    finally:
        for flight in others.values():
            stack.flights.leave(flight)


def _compute(
    stack: Stack,
    compute_many: Callable[[Sequence[str]], dict[str, Any]],
    terms: Terms,
    wanted: dict[str, Sought],
    batch: _Batch,
    values: dict[str, Any],
) -> Plan[list[str]]:
    """Compute what nobody else computes, into `values`; the keys that are dealt with."""
    flights = {key: flight for key, flight in batch.flights.items() if flight is not None}
    try:
        if flights:
            yield Lead(tuple(flights.values()))
        for key in flights:
            yield from _take(stack, key, terms, wanted, batch, values)
        keys = [key for key in batch.flights if key not in values and key not in batch.taken]
        if keys:
            led = [flights[key] for key in keys if key in flights]
            versions = yield from versions_of(stack, terms.tags)
            computed = yield from call(partial(compute_many, keys), keys, led)
            made: dict[str, Any] = computed.value
            for key in keys:
                if key not in made:
                    continue
                values[key] = made[key]
                lease = batch.leases.get(key)
                if lease is None or stack.renewer.holds(lease.owner):
                    yield from keep(stack, key, made[key], terms, computed, wanted[key], versions)
                end_with(flights.get(key), made[key])
    finally:
        for lease in batch.leases.values():
            yield from give_back(lease)
        for flight in flights.values():
            stack.flights.retire(flight)
    return [key for key in batch.flights if key not in batch.taken]


def _take(
    stack: Stack,
    key: str,
    terms: Terms,
    wanted: dict[str, Sought],
    batch: _Batch,
    values: dict[str, Any],
) -> Plan[None]:
    """Take the lease of a key, and look whether somebody computed it since it was missed."""
    lease = yield from try_lease(stack, key, terms)
    if isinstance(lease, Taken):
        batch.taken[key] = lease
        return
    if lease is not None:
        batch.leases[key] = lease
    if lease is not None or stack.flights.ended(key) != wanted[key].ended:
        again = yield from look_again(stack, key)
        if again.finding is not None:
            values[key] = yield from found_in(stack, key, again, batch.flights[key])
        wanted[key] = again
