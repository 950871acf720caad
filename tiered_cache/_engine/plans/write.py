"""The plan that stores changed values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache._engine.effects import (
    OK,
    REFUSED,
    ForgetJournal,
    Plan,
    ReadHeads,
    Reply,
    WakeFlusher,
    Write,
    WriteJournal,
    WriteMany,
)
from tiered_cache._engine.plans.enqueue import enqueue
from tiered_cache._engine.plans.removal import mark, remove, withhold
from tiered_cache._engine.plans.tags import no_versions, versions_of
from tiered_cache._engine.state.entry_records import EntryRecords
from tiered_cache._engine.state.pending import Pending
from tiered_cache.contracts import ANY, Put
from tiered_cache.entry import NO_TAGS
from tiered_cache.events import Event, EventKind
from tiered_cache.results import TierWrite, WriteOutcome, WriteResult

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tiered_cache._engine.level import Level
    from tiered_cache._engine.stack import Stack
    from tiered_cache._engine.terms import Terms
    from tiered_cache.entry import Entry
    from tiered_cache_policies.contracts import Durability, WritePlan

__all__ = ["store"]

_UNREMARKABLE = (WriteOutcome.WRITTEN, WriteOutcome.QUEUED)

Reports = dict[int, TierWrite]
"""The outcome of a write by level."""


def store(
    stack: Stack,
    values: Mapping[str, object],
    terms: Terms,
    durability: Durability | None = None,
) -> Plan[dict[str, WriteResult]]:
    """Write changed values to the tiers that the write policy names, each tier in one go.

    The tiers' present values don't matter. The values are of the instant at which the plan begins,
    with the keys' locks held. Where writes are queued, one go takes as many keys as a flush writes:
    they need room together.
    """
    versions = (yield from versions_of(stack, terms.tags)) if terms.tags else NO_TAGS
    if versions is None:
        return (yield from _refuse_everywhere(stack, values))
    now_s = stack.stamp()
    made = {}
    for key, value in values.items():
        entry = stack.new_entry(key, value, terms, now_s, tags=versions)
        made[key] = EntryRecords(stack.encoder, key, entry)
    size = stack.queue.batch_size if stack.queues_writes else len(made)
    keys = list(made)
    results: dict[str, WriteResult] = {}
    for start in range(0, len(keys), max(1, size)):
        batch = {key: made[key] for key in keys[start : start + size]}
        results |= yield from _store_batch(stack, batch, durability)
    return results


def _refuse_everywhere(stack: Stack, keys: Collection[str]) -> Plan[dict[str, WriteResult]]:
    results = {}
    for key in keys:
        reports: Reports = {}
        for level in reversed(stack.levels):
            reports[level.index] = yield from _refuse(level, key, no_versions(stack))
        results[key] = _result(stack, key, reports)
    return results


def _store_batch(
    stack: Stack, made: Mapping[str, EntryRecords], durability: Durability | None
) -> Plan[dict[str, WriteResult]]:
    plans = {}
    for key, records in made.items():
        if stack.measures:
            records.measure()
        plan = stack.plan_entry(key, records.entry, computed=False, durability=durability)
        plans[key] = stack.admitted(key, records.entry, plan, computed=False)
    if any(plan.later for plan in plans.values()):
        plans = yield from enqueue(stack, made, plans)
    through = [key for key in made if not plans[key].later]
    for key in through:
        made[key].measure()
    reports = yield from _write_batch(stack, made, plans)
    for key in through:
        if key in stack.queue.held:
            yield from _overtake(stack, key, made[key], reports[key])
    return {key: _result(stack, key, each) for key, each in reports.items()}


def _write_batch(
    stack: Stack, made: Mapping[str, EntryRecords], plans: Mapping[str, WritePlan]
) -> Plan[dict[str, Reports]]:
    """Write each tier in one go, the slowest first; the outcome by key and level."""
    reports: dict[str, Reports] = {key: {} for key in made}
    now = {index for plan in plans.values() for index in plan.now}
    tokens = yield from _tokens_between(stack, list(made), now)
    for level in reversed(stack.levels):
        index = level.index
        began_s = stack.logs.monotonic()
        items = {}
        for key, plan in plans.items():
            if index in plan.later:
                reports[key][index] = level.queued
            elif index not in plan.now:
                yield from withhold(stack, level, key, made[key].entry)
                reports[key][index] = TierWrite(level.name, WriteOutcome.SKIPPED, "by policy")
            elif isinstance(item := made[key].item(level), str):
                level.report_refused(item)
                yield from withhold(stack, level, key, made[key].entry)
                reports[key][index] = TierWrite(level.name, WriteOutcome.REFUSED, item)
            else:
                expected = tokens.get((index, key), ANY)
                entry = made[key].entry
                lifetime_s = level.capped(entry.lifetime_s, entry)
                items[key] = Put(item, lifetime_s, expected)
        tickets = {key: level.outdated.ticket(key) for key in items}
        replies = yield from _put(level, items)
        for key, reply in replies.items():
            entry = made[key].entry
            reports[key][index] = yield from _settle(stack, level, key, entry, reply, tickets[key])
        if level is stack.unlogged:
            for key, each in reports.items():
                if each[index].outcome is not WriteOutcome.FAILED:
                    stack.comparisons.note(key, made[key].entry, began_s)
    return reports


def _put(level: Level, items: Mapping[str, Put[Any]]) -> Plan[dict[str, Reply]]:
    """Write `items` in one go; the reply for each key."""
    if not items:
        return {}
    if len(items) == 1:
        ((key, item),) = items.items()
        return {key: (yield Write(level.index, key, item))}
    reply = yield WriteMany(level.index, items)
    refused = reply._replace(status=REFUSED)
    return {key: reply if reply.status != OK or key in reply.value else refused for key in items}


def _tokens_between(
    stack: Stack, keys: Sequence[str], levels: Collection[int]
) -> Plan[dict[tuple[int, str], object]]:
    """The tokens that shared tiers, above a more widely shared one, must still hold.

    Another process may meanwhile learn of a later change from below and drop the key there: this
    write must not land after that.
    """
    tokens: dict[tuple[int, str], object] = {}
    for index in stack.between:
        if index not in levels:
            continue
        reply = yield ReadHeads(index, keys)
        if reply.status == OK:
            tokens |= {(index, key): found.token for key, found in reply.value.items()}
    return tokens


def _settle(
    stack: Stack, level: Level, key: str, entry: Entry, reply: Reply, ticket: int | None
) -> Plan[TierWrite]:
    """Report a write; where it did not land, an older value is not served either."""
    if reply.status == REFUSED:
        yield from withhold(stack, level, key, entry)
        return TierWrite(level.name, WriteOutcome.REFUSED, reply.reason)
    mark(level, key, reply, ticket)
    if reply.status == OK:
        return level.written
    return TierWrite(level.name, WriteOutcome.FAILED, reply.reason)


def _refuse(level: Level, key: str, reason: str) -> Plan[TierWrite]:
    level.report_refused(reason)
    yield from remove(level, key)
    return TierWrite(level.name, WriteOutcome.REFUSED, reason)


def _overtake(
    stack: Stack, key: str, records: EntryRecords, reports: Mapping[int, TierWrite]
) -> Plan[None]:
    """Withdraw a queued change that a write at once overtook.

    It is looked for after the writes: a change from a journal, queued before them, has seen nothing
    newer. In tiers that the write did not reach it is replaced by the write, since they were promised
    a newer value than they have.
    """
    overtaken = stack.queue.held.get(key)
    if overtaken is None:  # it was flushed just now
        return
    failed = [index for index, each in reports.items() if each.outcome is WriteOutcome.FAILED]
    behind = tuple(index for index in overtaken.levels if index in failed)
    row = overtaken.row
    if behind:
        entry = records.entry
        records.settle([stack.levels[index] for index in behind])
        record = records.any_record()
        if row is not None and record is not None:
            changed = row._replace(serial=0, record=record, as_of_s=entry.created_s, trouble="")
            reply = yield WriteJournal([changed])
            row = reply.value[0] if reply.status == OK else row
        stack.queue.put(Pending(key, entry, entry.created_s, behind, records=records, row=row))
        yield WakeFlusher()
        return
    stack.queue.remove(key)
    if row is not None:
        yield ForgetJournal([row])


def _result(stack: Stack, key: str, reports: Mapping[int, TierWrite]) -> WriteResult:
    """The result for each tier, with an event where it is neither written nor queued."""
    if stack.listeners.active:
        for each in reports.values():
            if each.outcome not in _UNREMARKABLE:
                event = Event(EventKind.WRITE, each.tier, key, 0.0, 0, each.outcome.value)
                stack.events.note(event)
    return WriteResult(tuple([reports[level.index] for level in stack.levels]))
