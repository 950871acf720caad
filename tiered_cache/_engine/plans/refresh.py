"""The plan that recomputes values in the background while the old ones are served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache._engine.effects import Lead
from tiered_cache._engine.plans.compute import compute
from tiered_cache._engine.plans.lease import Lease, Taken, release, release_all, try_lease
from tiered_cache._engine.plans.read import look_again, promote
from tiered_cache._engine.state.flights import leading

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tiered_cache._engine.effects import Plan, Refresh
    from tiered_cache._engine.plans.search import Search
    from tiered_cache._engine.stack import Stack
    from tiered_cache._engine.state.flights import Flight

__all__ = ["refresh"]


def refresh(stack: Stack, wanted: Refresh, keys: Iterable[str]) -> Plan[None]:
    """Recompute `keys` of those wanted, in one call.

    It leaves out a key that another caller computes, or has computed since the value that is to be
    replaced.
    """
    leading.set(())  # in a copy of the context of a caller that does not wait for this
    flights: dict[str, Flight] = {}
    leases: dict[str, Lease] = {}
    try:
        outdated: dict[str, Search] = {}
        for key in keys:
            flight, leads = stack.flights.board(key)
            if flight is None:
                continue
            if not leads:
                stack.flights.leave(flight)
                continue
            flights[key] = flight
            lease = yield from try_lease(stack, key, wanted.work.terms)
            if isinstance(lease, Lease):
                leases[key] = lease
            if not isinstance(lease, Taken):
                again = yield from look_again(stack, key, newer_than_s=wanted.seen[key])
                if again.finding is None:
                    outdated[key] = again
                    continue
                yield from promote(stack, key, again)
            # No caller may wait for this key while the others are computed.
            if key in leases:
                yield from release(leases[key])
                del leases[key]
            stack.flights.retire(flights.pop(key))
        if outdated:
            yield Lead(tuple(flights.values()))
            yield from compute(stack, wanted.work, outdated, flights, leases)
    finally:
        try:
            yield from release_all(leases.values())
        finally:
            for flight in flights.values():
                stack.flights.retire(flight)
