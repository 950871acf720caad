"""The plan that keeps a computed value: it must not overwrite a change (law 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache._engine.effects import REFUSED, Plan, Put, WakeFlusher
from tiered_cache._engine.finding import UNKNOWN
from tiered_cache._engine.plans.placement import (
    admitted,
    lifetime_in,
    report_refused,
    write_plan,
)
from tiered_cache._engine.plans.tags import versions_after
from tiered_cache._engine.state.entry_records import EntryRecords
from tiered_cache._engine.state.pending import Pending
from tiered_cache.contracts import PutItem
from tiered_cache.errors import TieredCacheError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tiered_cache._engine.effects import Computed
    from tiered_cache._engine.plans.search import Search
    from tiered_cache._engine.stack import Stack
    from tiered_cache._engine.terms import Terms
    from tiered_cache.entry import Entry

__all__ = ["computed_entry", "fill", "write_computed"]


def fill(
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
        yield from write_computed(stack, key, entry, missed)


def computed_entry(
    stack: Stack,
    key: str,
    value: object,
    terms: Terms,
    computed: Computed,
    versions: Mapping[str, int] | None,
) -> Plan[Entry | None]:
    """The entry of a computed value; `None` if it is not to be stored."""
    if computed.computation.skipped:
        return None
    terms = terms.overridden(computed.computation)
    if versions is not None and terms.tags - versions.keys():
        added = terms.tags - versions.keys()
        began_s = computed.now_s - computed.lead_s
        versions = yield from versions_after(stack, versions, added, began_s)
    if versions is None:
        stack.faults.report("terms", "tags", "A value is not stored: its tags may have changed")
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


def write_computed(
    stack: Stack, key: str, entry: Entry, missed: Search, *, is_change: bool = False
) -> Plan[bool]:
    """Write a computed value where nothing changed since the lookup that missed it.

    Args:
        stack: The stack.
        key: The key.
        entry: The entry.
        missed: The lookup, with the tokens that the tiers must still hold.
        is_change: Whether other processes are to learn of it: it replaces a value that they may hold.

    Returns:
        Whether no tier found its token changed.
    """
    if stack.epoch != missed.epoch:
        return False
    records = EntryRecords(stack.encoder, key, entry)
    plan = write_plan(stack, key, entry, computed=True)
    if stack.measures or not plan.later:
        records.measure()
    plan = admitted(stack, key, entry, plan, computed=True)
    for index in plan.now:
        token = missed.tokens[index] if index < len(missed.tokens) else UNKNOWN
        level = stack.levels[index]
        item = records.item(level)
        if token is UNKNOWN:
            continue
        if isinstance(item, str):
            report_refused(stack, level, item)
            continue
        put = PutItem(item, lifetime_in(level, entry), token, fill=not is_change)
        reply = yield Put(index, key, put)
        if reply.status == REFUSED and reply.value is False:
            # Another caller changed the key, or computed it first: its value is the one to promote.
            return False
    if plan.later and _queue_fill(stack, key, records, missed, plan.later):
        yield WakeFlusher()
    return True


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
    if takers:
        stack.queue.put(
            Pending(key, entry, entry.created_s, takers, records=records, tokens=tokens)
        )
    return bool(takers)
