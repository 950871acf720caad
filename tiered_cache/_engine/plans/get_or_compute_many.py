"""The read-through plan of several keys: the missing ones are computed in one call (law 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache._engine.effects import Lead, Plan, Refresh
from tiered_cache._engine.plans.compute import compute
from tiered_cache._engine.plans.get_or_compute import needs_refresh, served
from tiered_cache._engine.plans.lease import (
    Lease,
    Taken,
    await_lease,
    patience_s,
    release_all,
    try_lease,
)
from tiered_cache._engine.plans.read import look_again, look_up_many
from tiered_cache._engine.plans.waiting import await_flight, fallback, receive, take_over

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from tiered_cache._engine.plans.search import Search
    from tiered_cache._engine.stack import Stack
    from tiered_cache._engine.state.flights import Flight
    from tiered_cache._engine.terms import Work

__all__ = ["get_or_compute_many"]


def get_or_compute_many(stack: Stack, keys: Sequence[str], work: Work) -> Plan[dict[str, Any]]:
    """The values of `keys`; the missing ones are computed in one call.

    Stale values as for `get_or_compute`; those to be refreshed are recomputed in one call too.
    """
    found = yield from look_up_many(stack, keys, past_stale=not stack.options.stale_for_s)
    values: dict[str, Any] = {}
    missing: dict[str, Search] = {}
    aging: dict[str, float] = {}
    for key, each in found.items():
        entry = served(stack, each)
        if entry is None or each.finding is None:
            missing[key] = each
            continue
        values[key] = entry.value
        if (yield from needs_refresh(stack, key, each.finding, entry)):
            aging[key] = entry.created_s
    if aging:
        yield Refresh(work, aging)
    if missing:
        values |= yield from _compute_many_once(stack, work, missing)
    return values


class _Round:
    """One round of a caller that wants several keys.

    Attributes:
        own: The keys that it computes.
        flights: The flights that it leads, by key.
        others: The flights of other callers of this process, by key.
        leases: The leases that it holds, by key.
        taken: The leases that other processes hold, by key.
    """

    def __init__(self) -> None:
        self.own: list[str] = []
        self.flights: dict[str, Flight] = {}
        self.others: dict[str, Flight] = {}
        self.leases: dict[str, Lease] = {}
        self.taken: dict[str, Taken] = {}

    def board(self, stack: Stack, wanted: Iterable[str], alone: Container[str]) -> None:
        """Find out which keys are computed here, and which by other callers."""
        for key in wanted:
            flight, leads = (None, False) if key in alone else stack.flights.board(key)
            if leads and flight is not None:
                self.flights[key] = flight
            if leads or flight is None:
                self.own.append(key)
            else:
                self.others[key] = flight


def _compute_many_once(
    stack: Stack, work: Work, missed: Mapping[str, Search]
) -> Plan[dict[str, Any]]:
    """The values of `missed` keys, from one call of the function or from other callers.

    It waits only while it leads no flight. So two callers, each of which leads some of the other's
    keys, never wait for each other. Keys that another caller gives up are computed in a further call.
    """
    values: dict[str, Any] = {}
    wanted = dict(missed)
    alone: set[str] = set()
    left_s = patience_s(stack)
    while wanted:
        this = _Round()
        try:
            try:
                this.board(stack, wanted, alone)
                yield from _compute_own(stack, work, wanted, this, values)
            finally:
                for led in this.flights.values():
                    stack.flights.retire(led)
            yield from _await_others(stack, this.others, wanted, alone, values)
        finally:
            for flight in this.others.values():
                stack.flights.leave(flight)
        for key, taken in this.taken.items():
            stack.count_wait()
            left_s -= yield from await_lease(taken, max(0.0, left_s))
            again = yield from look_again(stack, key)
            if again.entry is not None:
                values[key] = yield from take_over(stack, key, again, again.entry, None)
                del wanted[key]
            elif left_s <= 0:
                _fall_back_among(stack, key, wanted, alone, values)
    return values


def _compute_own(
    stack: Stack, work: Work, wanted: dict[str, Search], this: _Round, values: dict[str, Any]
) -> Plan[None]:
    """Compute the keys that no other caller computes; remove from `wanted` all that are settled."""
    try:
        if this.flights:
            yield Lead(tuple(this.flights.values()))
        for key in this.flights:
            yield from _take_lease(stack, key, work, wanted, this, values)
        keys = [key for key in this.own if key not in values and key not in this.taken]
        if keys:
            missed = {key: wanted[key] for key in keys}
            values |= yield from compute(stack, work, missed, this.flights, this.leases)
    finally:
        yield from release_all(this.leases.values())
    for key in this.own:
        if key not in this.taken:
            del wanted[key]


def _take_lease(
    stack: Stack,
    key: str,
    work: Work,
    wanted: dict[str, Search],
    this: _Round,
    values: dict[str, Any],
) -> Plan[None]:
    """Take the lease of a key, and check whether its value was computed since it was missed."""
    lease = yield from try_lease(stack, key, work.terms)
    if isinstance(lease, Taken):
        this.taken[key] = lease
        return
    if lease is not None:
        this.leases[key] = lease
    if lease is not None or stack.flights.ended(key) != wanted[key].ended:
        again = yield from look_again(stack, key)
        if again.entry is not None:
            flight = this.flights[key]
            values[key] = yield from take_over(stack, key, again, again.entry, flight)
        wanted[key] = again._replace(finding=wanted[key].finding)


def _await_others(
    stack: Stack,
    others: dict[str, Flight],
    wanted: dict[str, Search],
    alone: set[str],
    values: dict[str, Any],
) -> Plan[None]:
    """Take the values that other callers compute, one after the other."""
    while others:
        key = next(iter(others))
        flight = others.pop(key)
        if not (yield from await_flight(stack, flight)):
            _fall_back_among(stack, key, wanted, alone, values)
        elif flight.outcome is not None:
            values[key] = yield from receive(stack, key, flight.outcome)
            del wanted[key]


def _fall_back_among(
    stack: Stack, key: str, wanted: dict[str, Search], alone: set[str], values: dict[str, Any]
) -> None:
    """Take the stale value of a key, or have it computed without waiting, or raise."""
    stale = fallback(stack, key, wanted[key])
    if stale is None:
        alone.add(key)
    else:
        values[key] = stale.value
        del wanted[key]
