"""The plan that computes a value and stores it, although a fresh one may be there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache._engine.effects import Lead, Plan
from tiered_cache._engine.plans.compute import call, computed_entry, end_with
from tiered_cache._engine.plans.lease import Lease, release, try_lease
from tiered_cache._engine.plans.replace import observe, replace
from tiered_cache._engine.plans.tags import versions_of
from tiered_cache.entry import NO_TAGS

if TYPE_CHECKING:
    from tiered_cache._engine.plans.lease import Taken
    from tiered_cache._engine.stack import Stack
    from tiered_cache._engine.state.flights import Flight
    from tiered_cache._engine.terms import Work

__all__ = ["recompute"]


def recompute(stack: Stack, key: str, work: Work) -> Plan[Any]:
    """Compute `key` and replace its value in every tier.

    Other callers that miss the key share this computation, in this process and, if no other process
    computes the key, in others. It shares none that began before. A value that was set, or a
    deletion, while it computed is not overwritten (law 4); the result of a computation that began
    earlier is.
    """
    flight, leads = stack.flights.board(key)
    if flight is not None and not leads:
        stack.flights.leave(flight)
        flight = None
    lease: Lease | Taken | None = None
    try:
        if flight is not None:
            yield Lead((flight,))
        lease = yield from try_lease(stack, key, work.terms)
        return (yield from _compute(stack, key, work, flight))
    finally:
        try:
            if isinstance(lease, Lease):
                yield from release(lease)
        finally:
            if flight is not None:
                stack.flights.retire(flight)


def _compute(stack: Stack, key: str, work: Work, flight: Flight | None) -> Plan[Any]:
    before = yield from observe(stack, key)
    tags = work.terms.tags
    versions = (yield from versions_of(stack, tags)) if tags else NO_TAGS
    computed = yield from call(work, [key], [] if flight is None else [flight])
    value = computed.value
    entry = yield from computed_entry(stack, key, value, work.terms, computed, versions)
    if flight is None:
        stack.flights.detach([key])
    else:
        stack.flights.hold(flight)  # half a change would leave tiers that disagree
    if entry is not None:
        yield from replace(stack, key, entry, before)
    end_with(flight, value)
    return value
