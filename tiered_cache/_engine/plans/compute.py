"""The plans that call the caller's function and keep its values.

A computed value must not overwrite a change (law 4): each tier must still hold the token that the
lookup saw.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from tiered_cache._engine.effects import (
    REFUSED,
    Compute,
    ComputeFailedError,
    Plan,
    WakeFlusher,
    Write,
)
from tiered_cache._engine.plans.removal import withhold
from tiered_cache._engine.plans.search import note_copy
from tiered_cache._engine.plans.tags import no_versions, versions_after, versions_of
from tiered_cache._engine.state.entry_records import EntryRecords
from tiered_cache._engine.state.flights import Flight, Raised, Returned
from tiered_cache._engine.state.pending import Pending
from tiered_cache._engine.terms import SINGLE_USE
from tiered_cache.contracts import UNKNOWN, Put
from tiered_cache.entry import NO_TAGS
from tiered_cache.errors import TieredCacheError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tiered_cache._engine.effects import Computed
    from tiered_cache._engine.level import Level
    from tiered_cache._engine.plans.lease import Lease
    from tiered_cache._engine.plans.search import Search
    from tiered_cache._engine.stack import Stack
    from tiered_cache._engine.terms import Terms, Work
    from tiered_cache.entry import Entry
    from tiered_cache_policies.contracts import WritePlan

__all__ = ["call", "compute", "computed_entry", "end_with"]


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
    values = computed.value if work.is_many else {keys[0]: computed.value}
    made = [key for key in keys if key in values]
    if stack.levels[0].is_live:
        for key in made:
            end_with(flights.get(key), values[key])
    for key in made:
        lease = leases.get(key)
        if lease is None or stack.leases.holds(lease.owner):
            yield from _fill(stack, key, values[key], work.terms, computed, missed[key], versions)
        # Where the first tier serves copies, it must hold the value before the waiters look.
        end_with(flights.get(key), values[key])
    return {key: values[key] for key in made}


def call(work: Work, keys: Sequence[str], flights: Sequence[Flight]) -> Plan[Computed]:
    """Have the function called. Its exception ends the flights too."""
    try:
        function = partial(work.function, keys) if work.is_many else work.function
        computed: Computed = yield Compute(function, keys, flights)
    except ComputeFailedError as failed:
        # An interruption is the leader's own: the waiters compute without it.
        if isinstance(failed.error, Exception):
            for flight in flights:
                flight.end(Raised(failed.error))
        raise
    return computed


def end_with(flight: Flight | None, value: object) -> None:
    """Give `value` to the waiters of `flight`, unless the value is single-use."""
    if flight is not None and type(value) not in SINGLE_USE:
        flight.end(Returned(value))


def _fill(
    stack: Stack,
    key: str,
    value: object,
    terms: Terms,
    computed: Computed,
    missed: Search,
    versions: Mapping[str, int] | None,
) -> Plan[None]:
    """Store a computed value as its terms, the policies and the function itself say.

    Args:
        stack: The stack.
        key: The key.
        value: The value.
        terms: Its terms.
        computed: The computation.
        missed: The lookup that missed it.
        versions: The versions of its tags before the computation; `None` if they are unknown.
    """
    entry = yield from computed_entry(stack, key, value, terms, computed, versions)
    if entry is not None:
        yield from _write(stack, key, entry, missed)


def computed_entry(
    stack: Stack,
    key: str,
    value: object,
    terms: Terms,
    computed: Computed,
    versions: Mapping[str, int] | None,
) -> Plan[Entry | None]:
    """The entry of a computed value; `None` if it is not to be stored."""
    computation = computed.computation
    if computation.skipped:
        return None
    if computation.tags or computation.lifetime_s is not None:
        terms = terms.overridden(computation)
    if versions is not None and terms.tags - versions.keys():
        added = terms.tags - versions.keys()
        began_s = computed.now_s - computed.lead_s
        versions = yield from versions_after(stack, versions, added, began_s)
    if versions is None:
        stack.faults.report("terms", "tags", f"A value is not stored: {no_versions(stack)}")
        return None
    try:
        return stack.new_entry(
            key,
            value,
            terms,
            computed.now_s,
            cost_s=computed.seconds / computed.keys,
            lead_s=computed.lead_s,
            tags=versions,
        )
    except TieredCacheError as error:
        # The caller gets its result: the function is not to blame that it can't be stored.
        stack.faults.report("terms", type(error).__name__, f"A value is not stored: {error}")
        return None


def _write(stack: Stack, key: str, entry: Entry, missed: Search) -> Plan[None]:
    """Write a computed value where nothing changed since the lookup that missed it."""
    if stack.epoch != missed.epoch:
        return
    records = EntryRecords(stack.encoder, key, entry)
    if stack.measures:
        records.measure()
    plan = stack.plan_entry(key, entry, computed=True)
    if not plan.later:
        records.measure()
    plan = stack.admitted(key, entry, plan, computed=True)
    if stack.unlogged is not None:
        if not (yield from _reach_unlogged(stack, stack.unlogged, key, records, plan, missed)):
            return
        note_copy(stack, key, entry, missed)
    for index in plan.now:
        token = missed.tokens[index] if index < len(missed.tokens) else UNKNOWN
        level = stack.levels[index]
        item = records.item(level)
        if token is UNKNOWN:
            continue
        if isinstance(item, str):
            level.report_refused(item)
            continue
        lifetime_s = level.capped(entry.lifetime_s, entry)
        reply = yield Write(index, key, Put(item, lifetime_s, token, fill=True))
        if reply.status == REFUSED and reply.value is not False and level is stack.unlogged:
            reply = yield from withhold(stack, level, key, entry, token)
        if reply.status == REFUSED and reply.value is False:
            # Another caller changed the key, or computed it first: its value is the one to promote.
            return
    if plan.later and _queue_fill(stack, key, records, missed, plan.later):
        yield WakeFlusher()


def _reach_unlogged(
    stack: Stack,
    level: Level,
    key: str,
    records: EntryRecords,
    plan: WritePlan,
    missed: Search,
) -> Plan[bool]:
    """Leave word of a value in the tier that copies are compared with, if it does not get the value.

    Returns whether the key was unchanged there.
    """
    token = missed.tokens[level.index] if level.index < len(missed.tokens) else UNKNOWN
    is_planned = level.index in (*plan.now, *plan.later)
    if token is UNKNOWN or (is_planned and not isinstance(records.item(level), str)):
        return True
    reply = yield from withhold(stack, level, key, records.entry, token)
    return not (reply.status == REFUSED and reply.value is False)


def _queue_fill(
    stack: Stack, key: str, records: EntryRecords, missed: Search, levels: Sequence[int]
) -> bool:
    """Queue a computed value if there is room, since it can be recomputed; whether it was."""
    known = [
        stack.levels[index]
        for index in levels
        if index < len(missed.tokens) and missed.tokens[index] is not UNKNOWN
    ]
    if not known or not stack.queue.has_room(key):
        return False
    entry, tokens = records.entry, tuple(missed.tokens)
    takers = tuple([level.index for level in records.settle(known)])
    fill = Pending(key, entry, entry.created_s, takers, records=records, tokens=tokens)
    return bool(takers) and stack.queue.put(fill)
