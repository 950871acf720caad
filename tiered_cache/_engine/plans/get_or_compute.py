"""The read-through plan of one key: look it up, and compute it once if it is missing (law 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache._engine.effects import Lead, Plan, Refresh
from tiered_cache._engine.plans.compute import compute, end_with
from tiered_cache._engine.plans.lease import (
    Lease,
    Taken,
    await_lease,
    patience_s,
    release,
    try_lease,
)
from tiered_cache._engine.plans.read import look_again, look_up
from tiered_cache._engine.plans.touch import touch
from tiered_cache._engine.plans.waiting import await_flight, fallback, receive, take_over
from tiered_cache._engine.state.flights import Raised
from tiered_cache.errors import ComputationTimeoutError
from tiered_cache.options import OnTimeout
from tiered_cache.results import LookupStatus
from tiered_cache_policies.contracts import Hit, HitAction

if TYPE_CHECKING:
    from tiered_cache._engine.finding import Finding
    from tiered_cache._engine.plans.search import Search
    from tiered_cache._engine.stack import Stack
    from tiered_cache._engine.state.flights import Flight
    from tiered_cache._engine.terms import Work
    from tiered_cache.contracts import Tell
    from tiered_cache.entry import Entry

__all__ = ["get_or_compute", "needs_refresh", "served"]

_SERVE = HitAction()


def get_or_compute(stack: Stack, key: str, work: Work, tell: Tell | None = None) -> Plan[Any]:
    """The value of `key`; computed, and filled into the tiers, where none of them holds it.

    A stale value is served, and refreshed, if the cache serves stale values; else it is a miss.
    `tell` is told the outcome of the lookup.
    """
    found = yield from look_up(stack, key, past_stale=not stack.options.stale_for_s)
    entry = served(stack, found)
    if tell is not None:
        _tell(stack, tell, found, entry)
    if entry is None or found.finding is None:
        return (yield from _compute_once(stack, key, work, found))
    if (yield from needs_refresh(stack, key, found.finding, entry)):
        yield Refresh(work, {key: entry.created_s})
    return entry.value


def served(stack: Stack, found: Search) -> Entry | None:
    """The entry that is served; `None` for a miss, or where the caller waits for a fresh value."""
    finding = found.finding
    if finding is None or finding.status is LookupStatus.HIT:
        return None if finding is None else finding.entry
    waits = stack.options.single_flight.on_timeout is OnTimeout.STALE
    return None if waits else finding.entry


def _tell(stack: Stack, tell: Tell, found: Search, entry: Entry | None) -> None:
    if entry is None or found.finding is None or found.level is None:
        stack.decide(tell, LookupStatus.MISS, "", otherwise=None)
    else:
        stack.decide(tell, found.finding.status, found.level.name, otherwise=None)


def needs_refresh(stack: Stack, key: str, finding: Finding, entry: Entry) -> Plan[bool]:
    """Whether a served value is to be recomputed; a hit may renew its lifetime instead."""
    if finding.status is not LookupStatus.HIT:
        return True
    policy = stack.options.refreshing
    lifetime_s = entry.fresh_until_s - entry.created_s
    if policy is None or finding.fresh_s > stack.window_s(lifetime_s, entry.cost_s):
        return False
    hit = Hit(key, finding.age_s, finding.fresh_s, entry.cost_s)
    action = stack.decide(policy.on_hit, hit, otherwise=_SERVE)
    if not action.refresh and action.renew_s > 0:
        now_s = entry.created_s + finding.age_s
        yield from touch(stack, key, action.renew_s, now_s)
    return action.refresh


def _compute_once(stack: Stack, key: str, work: Work, missed: Search) -> Plan[Any]:
    """The value that the function returns, here or for another caller that began before."""
    while True:
        flight, leads = stack.flights.board(key)
        if flight is None:
            return (yield from _compute(stack, key, work, missed))
        if leads:
            try:
                return (yield from _lead(stack, key, work, missed, flight))
            finally:
                stack.flights.retire(flight)
        if not (yield from await_flight(stack, flight)):
            return (yield from _fall_back(stack, key, work, missed))
        if flight.outcome is not None:
            return (yield from receive(stack, key, flight.outcome))


def _lead(stack: Stack, key: str, work: Work, missed: Search, flight: Flight) -> Plan[Any]:
    """Compute for the waiters of `flight`, unless another process does."""
    lease: Lease | Taken | None = None
    left_s = patience_s(stack)
    try:
        yield Lead((flight,))
        while True:
            lease = yield from try_lease(stack, key, work.terms)
            if isinstance(lease, Taken):
                stack.count_wait()
                left_s -= yield from await_lease(lease, left_s)
            if lease is not None or stack.flights.ended(key) != missed.ended:
                again = yield from look_again(stack, key)
                if again.entry is not None:
                    return (yield from take_over(stack, key, again, again.entry, flight))
                missed = again._replace(finding=missed.finding)
            if not isinstance(lease, Taken):
                return (yield from _compute(stack, key, work, missed, flight, lease))
            if left_s <= 0:
                return (yield from _fall_back(stack, key, work, missed, flight))
    except ComputationTimeoutError as error:
        flight.end(Raised(error))
        raise
    finally:
        if isinstance(lease, Lease):
            yield from release(lease)


def _compute(
    stack: Stack,
    key: str,
    work: Work,
    missed: Search,
    flight: Flight | None = None,
    lease: Lease | None = None,
) -> Plan[Any]:
    flights = {} if flight is None else {key: flight}
    leases = {} if lease is None else {key: lease}
    values = yield from compute(stack, work, {key: missed}, flights, leases)
    return values[key]


def _fall_back(
    stack: Stack, key: str, work: Work, missed: Search, flight: Flight | None = None
) -> Plan[Any]:
    """Serve the stale value, compute, or raise: the caller has waited long enough."""
    stale = fallback(stack, key, missed)
    if stale is None:
        return (yield from _compute(stack, key, work, missed, flight))
    end_with(flight, stale.value)
    return stale.value
