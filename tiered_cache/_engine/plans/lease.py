"""The plans by which processes and hosts agree on who computes a key (law 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tiered_cache._engine.effects import OK, AcquireLease, AwaitLease, Delete, Plan, ReleaseLease
from tiered_cache._engine.state.flights import leading

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tiered_cache._engine.level import Level
    from tiered_cache._engine.stack import Stack
    from tiered_cache._engine.terms import Terms
    from tiered_cache.contracts.leases import LeaseAnswer

__all__ = ["Lease", "Taken", "await_lease", "give_back", "give_back_all", "patience_s", "try_lease"]


class Lease(NamedTuple):
    """A lease that this process holds."""

    level: Level
    key: str
    owner: str


class Taken(NamedTuple):
    """A lease that somebody else holds.

    Attributes:
        level: The tier that shares it.
        key: The key.
        ends_in_s: When he loses it unless he renews it.
        seen: As of `LeaseAnswer`.
    """

    level: Level
    key: str
    ends_in_s: float
    seen: object


def patience_s(stack: Stack) -> float:
    """How long a caller waits for another process."""
    options = stack.options.single_flight
    # Whoever is waited for may wait for what is being computed here, over a third process even.
    # So from within a computation: no longer than it takes to see that he lives.
    return min(options.lease_s, options.timeout_s) if leading.get() else options.timeout_s


def try_lease(stack: Stack, key: str, terms: Terms) -> Plan[Lease | Taken | None]:
    """Take the lease of `key`; `None` if there is nobody to agree with, or no way to."""
    options = stack.options.single_flight
    level = stack.lease_level(options.scope if terms.scope is None else terms.scope)
    if level is None:
        return None
    owner = stack.renewer.new_owner()
    try:
        reply = yield AcquireLease(level.index, key, owner, options.lease_s)
        if reply.status != OK:
            return None
        answer: LeaseAnswer = reply.value
        if not answer.granted:
            return Taken(level, key, answer.ends_in_s, answer.seen)
        if answer.taken_over:
            # What the last holder fills, should he live, must not land any more.
            yield Delete(level.index, key)
    except GeneratorExit:
        raise
    except BaseException:
        # Interrupted: it may have been granted.
        yield from give_back(Lease(level, key, owner))
        raise
    return Lease(level, key, owner)


def await_lease(taken: Taken, longest_s: float) -> Plan[float]:
    """Wait until a lease may be free; the seconds that it took, all there are if it can't be told."""
    wait_s = min(taken.ends_in_s, longest_s)
    reply = yield AwaitLease(taken.level.index, taken.key, taken.seen, wait_s)
    return reply.seconds if reply.status == OK else longest_s


def give_back(lease: Lease) -> Plan[None]:
    """Release a lease, even if an interruption comes in between: it would be renewed for nobody."""
    release = ReleaseLease(lease.level.index, lease.key, lease.owner)
    try:
        yield release
    except GeneratorExit:
        raise
    except BaseException:
        yield release
        raise


def give_back_all(leases: Iterable[Lease]) -> Plan[None]:
    """Release several leases: an interruption while one is given back is no reason to keep the others."""
    interrupted: BaseException | None = None
    for lease in leases:
        try:
            yield from give_back(lease)
        except GeneratorExit:
            raise
        except BaseException as error:
            interrupted = error
    if interrupted is not None:
        try:
            raise interrupted
        finally:
            del interrupted  # an exception is no local of a frame that is in its traceback
