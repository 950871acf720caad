"""The plan of a computation that several callers share (law 2)."""

from __future__ import annotations

from collections.abc import Callable  # noqa: TC003 - a NamedTuple's field
from typing import TYPE_CHECKING, Any, NamedTuple

from tiered_cache._engine.effects import Lead
from tiered_cache._engine.plans.keep import keep
from tiered_cache._engine.plans.lease import (
    Lease,
    Taken,
    await_lease,
    give_back,
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
from tiered_cache._engine.state.flights import Raised, leading
from tiered_cache._engine.terms import Terms  # noqa: TC001 - a NamedTuple's field
from tiered_cache.errors import ComputationTimeoutError
from tiered_cache.options import OnTimeout

if TYPE_CHECKING:
    from tiered_cache._engine.effects import Plan
    from tiered_cache._engine.plans.seek import Sought
    from tiered_cache._engine.stack import Stack
    from tiered_cache._engine.state.flights import Flight

__all__ = ["Task", "compute_once", "refresh_once"]


class Task(NamedTuple):
    """What a caller wants: a key, the function that computes it, and how to keep the result."""

    key: str
    function: Callable[[], Any]
    terms: Terms


def compute_once(stack: Stack, task: Task, sought: Sought) -> Plan[Any]:
    """The value that the function returns, here or for another caller who asked before."""
    while True:
        flight, leads = stack.flights.board(task.key)
        if flight is None:
            return (yield from _compute(stack, task, sought))
        if leads:
            try:
                return (yield from _lead(stack, task, sought, flight))
            finally:
                stack.flights.retire(flight)
        if not (yield from wait(stack, flight)):
            return (yield from _in_vain(stack, task, sought))
        if flight.outcome is not None:
            return (yield from received(stack, task.key, flight.outcome))


def refresh_once(stack: Stack, task: Task, seen_s: float) -> Plan[None]:
    """Compute a key anew, unless somebody else does, or did since the value written at `seen_s`."""
    flight, leads = stack.flights.board(task.key)
    if flight is None:
        return
    if not leads:
        stack.flights.leave(flight)
        return
    lease: Lease | Taken | None = None
    try:
        lease = yield from try_lease(stack, task.key, task.terms)
        if isinstance(lease, Taken):
            return
        sought = yield from look_again(stack, task.key, newer_than_s=seen_s)
        if sought.finding is None:
            yield from _compute(stack, task, sought, flight, lease)
        else:
            yield from promote(stack, task.key, sought)
    finally:
        if isinstance(lease, Lease):
            yield from give_back(lease)
        stack.flights.retire(flight)


def _lead(stack: Stack, task: Task, sought: Sought, flight: Flight) -> Plan[Any]:
    """Compute for all who wait for `flight`, unless another process does."""
    lease: Lease | Taken | None = None
    left_s = patience_s(stack)
    try:
        yield Lead((flight,))
        while True:
            lease = yield from try_lease(stack, task.key, task.terms)
            if isinstance(lease, Taken):
                stack.count_wait()
                left_s -= yield from await_lease(lease, left_s)
            if lease is not None or stack.flights.ended(task.key) != sought.ended:
                again = yield from look_again(stack, task.key)
                if again.finding is not None:
                    return (yield from found_in(stack, task.key, again, flight))
                sought = again._replace(finding=sought.finding)
            if not isinstance(lease, Taken):
                return (yield from _compute(stack, task, sought, flight, lease))
            if left_s <= 0:
                return (yield from _in_vain(stack, task, sought, flight))
    except ComputationTimeoutError as error:
        flight.end(Raised(error))
        raise
    finally:
        if isinstance(lease, Lease):
            yield from give_back(lease)


def _compute(
    stack: Stack,
    task: Task,
    sought: Sought,
    flight: Flight | None = None,
    lease: Lease | None = None,
) -> Plan[Any]:
    """Compute and keep; the flight, if there is one, ends with the value."""
    versions = yield from versions_of(stack, task.terms.tags)
    computed = yield from call(task.function, (task.key,), [] if flight is None else [flight])
    value = computed.value
    if stack.levels[0].is_live:
        end_with(flight, value)
    if lease is None or stack.renewer.holds(lease.owner):
        yield from keep(stack, task.key, value, task.terms, computed, sought, versions)
    # Where the first tier hands out copies, it must have the value before the waiters look.
    end_with(flight, value)
    return value


def _in_vain(stack: Stack, task: Task, sought: Sought, flight: Flight | None = None) -> Plan[Any]:
    """What a caller does who has waited long enough."""
    if not leading.get():
        raise_if_impatient(stack, task.key)
    stale = sought.finding
    if (
        stack.options.single_flight.on_timeout is OnTimeout.STALE
        and stale is not None
        and stale.entry is not None
    ):
        end_with(flight, stale.entry.value)
        return stale.entry.value
    return (yield from _compute(stack, task, sought, flight))
