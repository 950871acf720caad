"""The plans by which processes and hosts agree on the leader of a key (law 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tiered_cache._engine.effects import OK, AcquireLease, AwaitLease, Delete, Plan, ReleaseLease
from tiered_cache._engine.state.flights import leading

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tiered_cache._engine.level import Level
    from tiered_cache._engine.stack import Stack
    from tiered_cache._engine.terms import Terms
    from tiered_cache.contracts import LeaseAnswer

__all__ = [
    "Lease",
    "Taken",
    "await_lease",
    "patience_s",
    "release",
    "release_all",
    "try_lease",
]


class Lease(NamedTuple):
    """A lease that this process holds."""

    level: Level
    key: str
    owner: str


class Taken(NamedTuple):
    """A lease that another process holds.

    Attributes:
        level: The tier that shares it.
        key: The key.
        ends_in_s: Seconds after which the holder loses it, unless it renews it.
        seen: As of `LeaseAnswer`.
    """

    level: Level
    key: str
    ends_in_s: float
    seen: object


def patience_s(stack: Stack) -> float:
    """Seconds that a caller waits for another process."""
    options = stack.options.single_flight
    # The other process may wait for a computation of this one, even over a third. So from within a
    # computation: no longer than it takes to see that the other is alive.
    return min(options.lease_s, options.timeout_s) if leading.get() else options.timeout_s


def try_lease(stack: Stack, key: str, terms: Terms) -> Plan[Lease | Taken | None]:
    """Take the lease of `key`; `None` where no tier of the scope has leases, or it can't be asked."""
    options = stack.options.single_flight
    level = stack.lease_level(terms.scope)
    if level is None:
        return None
    owner = stack.leases.new_owner()
    try:
        reply = yield AcquireLease(level.index, key, owner, options.lease_s)
        if reply.status != OK:
            return None
        answer: LeaseAnswer = reply.value
        if not answer.granted:
            return Taken(level, key, answer.ends_in_s, answer.seen)
        if answer.taken_over:
            # The last holder may be alive: its fill must not land any more.
            yield Delete(level.index, key)
    except GeneratorExit:
        raise
    except BaseException:
        # Interrupted: it may have been granted.
        yield from release(Lease(level, key, owner))
        raise
    return Lease(level, key, owner)


def await_lease(taken: Taken, longest_s: float) -> Plan[float]:
    """Wait until a lease may be free.

    Returns the seconds waited, or `longest_s` if the tier failed.
    """
    wait_s = min(taken.ends_in_s, longest_s)
    reply = yield AwaitLease(taken.level.index, taken.key, taken.seen, wait_s)
    return reply.seconds if reply.status == OK else longest_s


def release(lease: Lease) -> Plan[None]:
    """Release a lease, even if an interruption comes in between: else it would be renewed for ever."""
    effect = ReleaseLease(lease.level.index, lease.key, lease.owner)
    try:
        yield effect
    except GeneratorExit:
        raise
    except BaseException:
        yield effect
        raise


def release_all(leases: Iterable[Lease]) -> Plan[None]:
    """Release several leases; an interruption during one does not keep the others."""
    interrupted: BaseException | None = None
    for lease in leases:
        try:
            yield from release(lease)
        except GeneratorExit:
            raise
        except BaseException as error:
            interrupted = error
    if interrupted is not None:
        try:
            raise interrupted
        finally:
            del interrupted  # a frame in its traceback must not refer to the exception
