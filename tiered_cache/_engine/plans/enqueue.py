"""The plan that queues changed values instead of writing them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache._engine.effects import OK, AwaitRoom, Plan, WakeFlusher, WriteJournal
from tiered_cache._engine.state.pending import Pending
from tiered_cache.contracts import JournalRow
from tiered_cache.events import Event, EventKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tiered_cache._engine.stack import Stack
    from tiered_cache._engine.state.entry_records import EntryRecords
    from tiered_cache.entry import Entry
    from tiered_cache_policies.contracts import WritePlan

__all__ = ["enqueue"]


def enqueue(
    stack: Stack, made: Mapping[str, EntryRecords], plans: Mapping[str, WritePlan]
) -> Plan[dict[str, WritePlan]]:
    """Queue changed values as `plans` say, with one transaction of the journal.

    Where the journal fails, nothing is queued: all is written now, and the caller is told.

    Returns:
        The plans for the levels that are still to be written now.
    """
    deferred = {key: plan for key, plan in plans.items() if plan.later}
    new = [key for key in deferred if key not in stack.queue.held]
    if new and not stack.queue.has_room(new[0], len(new) - 1):
        yield AwaitRoom(new[0], len(new) - 1)
    later = {key: _takers(stack, made[key], plan) for key, plan in deferred.items()}
    rows = yield from _journal(stack, made, deferred, later)
    if rows is None:
        return {key: _all_now(plan) for key, plan in plans.items()}
    changes = []
    for key, levels in later.items():
        if levels:
            records = made[key]
            entry = records.entry
            row = rows.get(key)
            changes.append(Pending(key, entry, entry.created_s, levels, records=records, row=row))
            _note_queued(stack, key, entry, levels)
    if changes:
        stack.queue.put_all(changes)
        yield WakeFlusher()
    return {key: _without(plan, later.get(key, ())) for key, plan in plans.items()}


def _journal(
    stack: Stack,
    made: Mapping[str, EntryRecords],
    plans: Mapping[str, WritePlan],
    later: Mapping[str, tuple[int, ...]],
) -> Plan[dict[str, JournalRow] | None]:
    """Journal the values whose plans want it; the rows by key, `None` if the journal failed."""
    rows: dict[str, JournalRow] = {}
    for key, plan in plans.items():
        record = made[key].any_record() if plan.journal else None
        if record is not None:
            tiers = {stack.levels[index].name for index in (*plan.now, *later[key])}
            as_of_s = made[key].entry.created_s
            rows[key] = JournalRow(0, key, record, as_of_s, stack.record_tiers & tiers)
    if not rows:
        return rows
    reply = yield WriteJournal(list(rows.values()))
    return dict(zip(rows, reply.value, strict=True)) if reply.status == OK else None


def _takers(stack: Stack, records: EntryRecords, plan: WritePlan) -> tuple[int, ...]:
    """Those of the deferred levels that take the value, which is settled for them."""
    levels = [stack.levels[index] for index in plan.later]
    takers = records.takers(levels) if plan.journal else records.settle(levels)
    return plan.later if len(takers) == len(levels) else tuple([each.index for each in takers])


def _note_queued(stack: Stack, key: str, entry: Entry, levels: Sequence[int]) -> None:
    if stack.listeners.active:
        for index in levels:
            name = stack.levels[index].name
            stack.events.note(Event(EventKind.WRITE, name, key, 0.0, entry.size_bytes, "queued"))


def _all_now(plan: WritePlan) -> WritePlan:
    return plan._replace(now=(*plan.later, *plan.now), later=())


def _without(plan: WritePlan, later: tuple[int, ...]) -> WritePlan:
    """`plan` with the levels `later` queued; a level that refuses the value is written now."""
    if later == plan.later:
        return plan
    refusing = [index for index in plan.later if index not in later]
    return plan._replace(now=(*refusing, *plan.now), later=later)
