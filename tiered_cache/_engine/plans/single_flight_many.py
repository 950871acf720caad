"""The plan of a computation of several keys, each of which some caller may compute already."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from tiered_cache._engine.effects import Lead
from tiered_cache._engine.plans.keep import keep
from tiered_cache._engine.plans.lease import (
    Lease,
    Taken,
    await_lease,
    give_back_all,
    patience_s,
    try_lease,
)
from tiered_cache._engine.plans.read import look_again, promote
from tiered_cache._engine.plans.share import (
    call,
    end_with,
    found_in,
    raise_if_impatient,
    received,
    wait,
)
from tiered_cache._engine.plans.tags import versions_of
from tiered_cache.options import OnTimeout

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence

    from tiered_cache._engine.effects import Plan
    from tiered_cache._engine.plans.seek import Sought
    from tiered_cache._engine.stack import Stack
    from tiered_cache._engine.state.flights import Flight
    from tiered_cache._engine.terms import Terms

__all__ = ["compute_many_once", "refresh_many_once"]


NONE_SEEN: Mapping[str, float] = {}


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
    seen: Mapping[str, float] = NONE_SEEN,
) -> Plan[dict[str, Any]]:
    """The values of `missing` keys that `compute_many` gives in one call, or other callers have.

    Of a key in `seen` only what was written later than that counts as a value. It waits only while
    it has nothing that others wait for, so that two callers who lead some of each other's keys don't
    wait for each other. What others give up is computed in a further call.
    """
    values: dict[str, Any] = {}
    wanted = dict(missing)
    alone: set[str] = set()
    left_s = patience_s(stack)
    while wanted:
        batch = _Batch()
        try:
            try:
                _board(stack, wanted, alone, batch)
                done = yield from _compute(stack, compute_many, terms, wanted, batch, values, seen)
            finally:
                for led in batch.flights.values():
                    if led is not None:
                        stack.flights.retire(led)
            for key in done:
                del wanted[key]
            yield from _await_others(stack, batch.others, wanted, alone, values)
        finally:
            for flight in batch.others.values():
                stack.flights.leave(flight)
        for key, taken in batch.taken.items():
            stack.count_wait()
            left_s -= yield from await_lease(taken, max(0.0, left_s))
            again = yield from _look_again(stack, key, seen)
            if again.finding is not None:
                values[key] = yield from found_in(stack, key, again, None)
                del wanted[key]
            elif left_s <= 0:
                _in_vain(stack, key, wanted, values, alone)
    return values


def _await_others(
    stack: Stack,
    others: dict[str, Flight],
    wanted: dict[str, Sought],
    alone: set[str],
    values: dict[str, Any],
) -> Plan[None]:
    """Take what other callers compute; what does not come in time is for the caller to see to."""
    while others:
        key = next(iter(others))
        flight = others.pop(key)
        if not (yield from wait(stack, flight)):
            _in_vain(stack, key, wanted, values, alone)
        elif flight.outcome is not None:
            values[key] = yield from received(stack, key, flight.outcome)
            del wanted[key]


def _in_vain(
    stack: Stack, key: str, wanted: dict[str, Sought], values: dict[str, Any], alone: set[str]
) -> None:
    """What a caller does with a key for which he has waited long enough."""
    raise_if_impatient(stack, key)
    stale = wanted[key].finding
    if (
        stack.options.single_flight.on_timeout is OnTimeout.STALE
        and stale is not None
        and stale.entry is not None
    ):
        values[key] = stale.entry.value
        del wanted[key]
    else:
        alone.add(key)


def refresh_many_once(
    stack: Stack,
    compute_many: Callable[[Sequence[str]], dict[str, Any]],
    terms: Terms,
    seen: Mapping[str, float],
) -> Plan[None]:
    """Compute keys anew in one call, but for those that somebody else does, or did since `seen`."""
    outdated = {}
    for key, seen_s in seen.items():
        again = yield from look_again(stack, key, newer_than_s=seen_s)
        if again.finding is None:
            outdated[key] = again
        else:
            yield from promote(stack, key, again)
    if outdated:
        yield from compute_many_once(stack, compute_many, terms, outdated, seen)


def _board(stack: Stack, wanted: Iterable[str], alone: Container[str], batch: _Batch) -> None:
    """Find out which keys are computed here, and which by others already."""
    for key in wanted:
        flight, leads = (None, False) if key in alone else stack.flights.board(key)
        if leads or flight is None:
            batch.flights[key] = flight
        else:
            batch.others[key] = flight


def _compute(
    stack: Stack,
    compute_many: Callable[[Sequence[str]], dict[str, Any]],
    terms: Terms,
    wanted: dict[str, Sought],
    batch: _Batch,
    values: dict[str, Any],
    seen: Mapping[str, float],
) -> Plan[list[str]]:
    """Compute what nobody else computes, into `values`; the keys that are dealt with."""
    flights = {key: flight for key, flight in batch.flights.items() if flight is not None}
    try:
        if flights:
            yield Lead(tuple(flights.values()))
        for key in flights:
            yield from _take(stack, key, terms, wanted, batch, values, seen)
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
        yield from give_back_all(batch.leases.values())
    return [key for key in batch.flights if key not in batch.taken]


def _take(
    stack: Stack,
    key: str,
    terms: Terms,
    wanted: dict[str, Sought],
    batch: _Batch,
    values: dict[str, Any],
    seen: Mapping[str, float],
) -> Plan[None]:
    """Take the lease of a key, and look whether somebody computed it since it was missed."""
    lease = yield from try_lease(stack, key, terms)
    if isinstance(lease, Taken):
        batch.taken[key] = lease
        return
    if lease is not None:
        batch.leases[key] = lease
    if lease is not None or stack.flights.ended(key) != wanted[key].ended:
        again = yield from _look_again(stack, key, seen)
        if again.finding is not None:
            values[key] = yield from found_in(stack, key, again, batch.flights[key])
        wanted[key] = again._replace(finding=wanted[key].finding)


def _look_again(stack: Stack, key: str, seen: Mapping[str, float]) -> Plan[Sought]:
    return (yield from look_again(stack, key, newer_than_s=seen.get(key, -math.inf)))
