"""The plan that calls the caller's function, ends the flights of its keys and keeps the values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache._engine.effects import Compute, ComputeFailedError, Plan
from tiered_cache._engine.plans.fill import fill
from tiered_cache._engine.plans.tags import versions_of
from tiered_cache._engine.state.flights import Flight, Raised, Returned
from tiered_cache._engine.terms import is_single_use
from tiered_cache.entry import NO_TAGS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tiered_cache._engine.effects import Computed
    from tiered_cache._engine.plans.lease import Lease
    from tiered_cache._engine.plans.search import Search
    from tiered_cache._engine.stack import Stack
    from tiered_cache._engine.terms import Work

__all__ = ["call", "compute", "end_with"]


def compute(
    stack: Stack,
    work: Work,
    missed: Mapping[str, Search],
    flights: Mapping[str, Flight],
    leases: Mapping[str, Lease],
) -> Plan[Mapping[str, Any]]:
    """Compute the keys of `missed` in one call, and fill the tiers with the values.

    Args:
        stack: The stack.
        work: The function and the terms of its results.
        missed: The keys, each with the lookup that missed it.
        flights: The flights that this caller leads, by key; each ends with its value.
        leases: The leases that it holds, by key. A value whose lease was lost is not kept.

    Returns:
        The values by key; those that the function leaves out are left out.
    """
    keys = list(missed)
    tags = work.terms.tags
    versions = (yield from versions_of(stack, tags)) if tags else NO_TAGS
    computed = yield from call(work, keys, [flights[key] for key in keys if key in flights])
    values = work.by_key(keys, computed.value)
    made = [key for key in keys if key in values]
    if stack.levels[0].is_live:
        for key in made:
            end_with(flights.get(key), values[key])
    for key in made:
        lease = leases.get(key)
        if lease is None or stack.leases.holds(lease.owner):
            yield from fill(stack, key, values[key], work.terms, computed, missed[key], versions)
        # Where the first tier serves copies, it must hold the value before the waiters look.
        end_with(flights.get(key), values[key])
    return {key: values[key] for key in made}


def call(work: Work, keys: Sequence[str], flights: Sequence[Flight]) -> Plan[Computed]:
    """Have the function called. Its exception ends the flights too."""
    try:
        computed: Computed = yield Compute(work.call_for(keys), keys, flights)
    except ComputeFailedError as failed:
        # An interruption is the leader's own: the waiters compute without it.
        if isinstance(failed.error, Exception):
            for flight in flights:
                flight.end(Raised(failed.error))
        raise
    return computed


def end_with(flight: Flight | None, value: object) -> None:
    """Give `value` to the waiters of `flight`, unless the value is single-use."""
    if flight is not None and not is_single_use(value):
        flight.end(Returned(value))
