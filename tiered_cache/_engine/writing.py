"""The write plans: set, fill, delete, touch and clear."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tiered_cache._engine.effects import (
    FAILED,
    OK,
    REFUSED,
    SKIPPED,
    AwaitWritten,
    Clear,
    Delete,
    DeleteMany,
    ForgetJournal,
    Plan,
    Put,
    PutMany,
    Reply,
    WriteJournal,
)
from tiered_cache._engine.findings import UNKNOWN
from tiered_cache._engine.queue import Pending
from tiered_cache._engine.queueing import enqueue
from tiered_cache._engine.reading import peek
from tiered_cache._engine.records import Records
from tiered_cache.contracts import ANY, PutItem, Reach
from tiered_cache.entry import Entry
from tiered_cache.outcomes import TierWrite, WriteOutcome, WriteResult
from tiered_cache_policies.contracts import WritePlan, WriteRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tiered_cache._engine.level import Level
    from tiered_cache._engine.reading import Sought
    from tiered_cache._engine.stack import Stack
    from tiered_cache.contracts import JournalRow
    from tiered_cache_policies.contracts import Durability

__all__ = ["clear", "delete", "delete_many", "fill", "store", "store_many", "touch"]


def store(
    stack: Stack, key: str, entry: Entry, durability: Durability | None = None
) -> Plan[WriteResult]:
    """Write a changed value to the tiers that the write policy names, whatever they hold."""
    records = Records(stack, key, entry)
    plan = _write_plan(stack, key, entry, computed=False, durability=durability)
    if stack.measures:
        records.measure()
        plan = _admitted(stack, key, entry, plan, computed=False)
    queued: tuple[int, ...] = ()
    overtaken = None
    if plan.later:
        plan = yield from enqueue(stack, key, entry, records, plan)
        queued = plan.later
    if not queued:
        records.measure()
        overtaken = stack.queue.held.get(key)
    reports: dict[int, TierWrite] = {}
    for index in plan.now:
        level = stack.levels[index]
        reports[index] = yield from _write(stack, level, key, records.item(level), entry)
    for level in reversed(stack.levels):
        if level.index in queued:
            reports[level.index] = level.queued
        elif level.index not in plan.now:
            yield from _remove(level, key)
            reports[level.index] = TierWrite(level.name, WriteOutcome.SKIPPED, "by policy")
    if overtaken is not None:
        stack.queue.remove(key)
        if overtaken.row is not None:
            yield ForgetJournal([overtaken.row])
    return WriteResult(tuple(reports[level.index] for level in stack.levels))


def store_many(
    stack: Stack, entries: Mapping[str, Entry], durability: Durability | None = None
) -> Plan[dict[str, WriteResult]]:
    """Write several changed values, each tier in one go.

    One by one, where some are queued or a tier chooses what it takes.
    """
    plans = {
        key: _write_plan(stack, key, entry, computed=False, durability=durability)
        for key, entry in entries.items()
    }
    if stack.queue.held or stack.measures or any(plan.later for plan in plans.values()):
        results = {}
        for key, entry in entries.items():
            results[key] = yield from store(stack, key, entry, durability)
        return results
    made = {key: Records(stack, key, entry) for key, entry in entries.items()}
    for each in made.values():
        each.measure()
    reports: dict[str, dict[int, TierWrite]] = {key: {} for key in entries}
    for level in reversed(stack.levels):
        index = level.index
        left_out = [key for key in entries if index not in plans[key].now]
        for key in left_out:
            yield from _remove(level, key)
            reports[key][index] = TierWrite(level.name, WriteOutcome.SKIPPED, "by policy")
        items = {}
        for key in entries.keys() - set(left_out):
            item = made[key].item(level)
            if isinstance(item, str):
                reports[key][index] = yield from _refuse(stack, level, key, item)
            else:
                items[key] = PutItem(item, _lifetime_in(level, entries[key]), ANY)
        if items:
            tickets = {key: level.suspects.ticket(key) for key in items}
            reply = yield PutMany(index, items)
            for key in items:
                landed = reply.status == OK and key in reply.value
                status = OK if landed else REFUSED if reply.status == OK else reply.status
                one = Reply(status, None, 0.0, reply.now_s, reply.reason)
                reports[key][index] = yield from _settle(level, key, one, tickets[key])
    return {
        key: WriteResult(tuple(each[level.index] for level in stack.levels))
        for key, each in reports.items()
    }


def fill(stack: Stack, key: str, entry: Entry, sought: Sought) -> Plan[None]:
    """Write a computed value where nothing changed since the lookup that missed it (law 4)."""
    if stack.epoch != sought.epoch:
        return
    records = Records(stack, key, entry)
    plan = _write_plan(stack, key, entry, computed=True)
    if stack.measures or not plan.later:
        records.measure()
    plan = _admitted(stack, key, entry, plan, computed=True)
    if plan.later:
        yield from _fill_later(stack, key, entry, sought, plan.later)
    for index in plan.now:
        token = sought.tokens[index] if index < len(sought.tokens) else UNKNOWN
        level = stack.levels[index]
        item = records.item(level)
        if token is UNKNOWN:
            continue
        if isinstance(item, str):
            _say_refused(stack, level, item)
            continue
        yield Put(index, key, PutItem(item, _lifetime_in(level, entry), token))


def _fill_later(
    stack: Stack, key: str, entry: Entry, sought: Sought, levels: Sequence[int]
) -> Plan[None]:
    """Queue a computed value, if there is room: it can be computed again."""
    known = [
        index
        for index in levels
        if index < len(sought.tokens) and sought.tokens[index] is not UNKNOWN
    ]
    if known and stack.queue.has_room(key):
        stack.queue.put(
            Pending(key, entry, entry.created_s, tuple(known), tokens=tuple(sought.tokens))
        )
        stack.wake()
    yield from ()


def delete(stack: Stack, key: str) -> Plan[bool]:
    """Delete `key` everywhere, slowest tier first; whether any tier held it.

    With a journal, the deletion is on disk before a tier hears of it: a process that dies in
    between leaves no tier that still holds the value.
    """
    if stack.queues_writes:
        return (yield from _delete_for_sure(stack, key))
    there = False
    for level in reversed(stack.levels):
        there = bool((yield from _remove(level, key)).value) or there
    return there


def _delete_for_sure(stack: Stack, key: str) -> Plan[bool]:
    as_of_s = stack.stamp()
    request = WriteRequest(key, math.inf, 0.0, computed=False)
    plan = stack.decide(
        stack.options.writing.plan, request, stack.facts, otherwise=stack.everywhere
    )
    row: JournalRow | None = None
    if plan.journal:
        row = (yield WriteJournal(key, None, as_of_s, stack.record_tiers)).value
    waiting = stack.queue.remove(key)
    # What is on its way down would else come after the deletion, by a clock that was set back.
    yield AwaitWritten(key)
    there = waiting is not None and waiting.entry is not None
    failed = []
    for level in reversed(stack.levels):
        reply = yield from _remove(level, key)
        there = bool(reply.value) or there
        if reply.status != OK and level.holds_records:
            failed.append(level.index)
    if failed:
        stack.queue.put(Pending(key, None, as_of_s, tuple(failed), row=row))
        stack.wake()
    elif row is not None:
        yield ForgetJournal([row])
    return there


def delete_many(stack: Stack, keys: Sequence[str]) -> Plan[int]:
    """Delete `keys` everywhere, each tier in one go; the most that any one tier held."""
    count = 0
    if stack.queues_writes:
        for key in keys:
            count += yield from delete(stack, key)
        return count
    for level in reversed(stack.levels):
        tickets = {key: level.suspects.ticket(key) for key in keys}
        reply = yield DeleteMany(level.index, keys)
        for key, ticket in tickets.items():
            _trust(level, key, reply, ticket)
        if reply.status == OK:
            count = max(count, reply.value)
    return count


def touch(stack: Stack, key: str, lifetime_s: float, now_s: float) -> Plan[bool]:
    """Give `key` a new lifetime from `now_s` on, in every tier that holds it fresh."""
    touched = False
    if key in stack.queue.held:
        touched = yield from _touch_queued(stack, key, lifetime_s, now_s)
    for level in reversed(stack.levels):
        finding = yield from peek(stack, level, key)
        entry = finding.entry
        if entry is None or finding.outcome != "hits" or finding.token is UNKNOWN:
            continue
        item = Records(stack, key, _renewed(entry, lifetime_s, now_s)).item(level)
        if isinstance(item, str):
            continue
        reply = yield Put(
            level.index,
            key,
            PutItem(item, level.capped(lifetime_s + entry.grace_s, entry.grace_s), finding.token),
        )
        touched = touched or reply.status == OK
    return touched


def _touch_queued(stack: Stack, key: str, lifetime_s: float, now_s: float) -> Plan[bool]:
    """Give what waits for `key` a new lifetime; whether something fresh does."""
    yield AwaitWritten(key)
    waiting = stack.queue.held.get(key)
    if waiting is None or waiting.entry is None or waiting.entry.fresh_until_s <= now_s:
        return False
    entry = _renewed(waiting.entry, lifetime_s, now_s)
    row = waiting.row
    if row is not None:
        record = stack.codec.encode(key, entry, stack.widest_reach or Reach.HOST)
        reply = yield WriteJournal(key, record, row.as_of_s, row.tiers)
        row = reply.value or row
    return stack.queue.renew(waiting, entry, row)


def _renewed(entry: Entry, lifetime_s: float, now_s: float) -> Entry:
    return Entry(
        entry.value,
        created_s=entry.created_s,
        fresh_until_s=now_s + lifetime_s,
        stale_until_s=now_s + lifetime_s + entry.grace_s,
        cost_s=entry.cost_s,
        lead_s=entry.lead_s,
        tags=entry.tags,
        generation=entry.generation,
        size_bytes=entry.size_bytes,
    )


def clear(stack: Stack, prefix: str) -> Plan[int]:
    """Remove every key that begins with `prefix`, slowest tier first; the most that one held."""
    count = 0
    stack.epoch += 1
    if stack.queues_writes:
        rows = [each.row for each in stack.queue.remove_all(prefix) if each.row is not None]
        yield AwaitWritten(prefix)
        if rows:
            yield ForgetJournal(rows)
    for level in reversed(stack.levels):
        reply = yield Clear(level.index, prefix)
        if reply.status == OK:
            count = max(count, reply.value)
        else:
            level.suspects.add_all(reply.now_s)
    stack.epoch += 1
    return count


def _write_plan(
    stack: Stack,
    key: str,
    entry: Entry,
    *,
    computed: bool,
    durability: Durability | None = None,
) -> WritePlan:
    request = WriteRequest(key, _lifetime_s(entry), entry.cost_s, computed, durability)
    plan = stack.options.writing.plan
    return stack.decide(plan, request, stack.facts, otherwise=stack.everywhere)


def _admitted(
    stack: Stack, key: str, entry: Entry, plan: WritePlan, *, computed: bool
) -> WritePlan:
    """`plan` without the levels that don't take the value by their own choice."""
    if not stack.measures:
        return plan

    def admitted(levels: tuple[int, ...]) -> tuple[int, ...]:
        lifetime_s = _lifetime_s(entry)
        return tuple(
            index
            for index in levels
            if stack.admits(stack.levels[index], key, entry, lifetime_s, filling=computed)
        )

    return plan._replace(now=admitted(plan.now), later=admitted(plan.later))


def _write(
    stack: Stack, level: Level, key: str, item: Entry | bytes | str, entry: Entry
) -> Plan[TierWrite]:
    if isinstance(item, str):
        return (yield from _refuse(stack, level, key, item))
    ticket = level.suspects.ticket(key)
    reply = yield Put(level.index, key, PutItem(item, _lifetime_in(level, entry), ANY))
    if reply.status == OK and ticket is None:
        return level.written
    return (yield from _settle(level, key, reply, ticket))


def _settle(level: Level, key: str, reply: Reply, ticket: int | None) -> Plan[TierWrite]:
    """Report a write, and see to it that an older value is not served where it did not land."""
    if reply.status == REFUSED:
        yield from _remove(level, key)
        return TierWrite(level.name, WriteOutcome.REFUSED, reply.reason)
    _trust(level, key, reply, ticket)
    if reply.status == OK:
        return level.written
    return TierWrite(level.name, WriteOutcome.FAILED, reply.reason)


def _refuse(stack: Stack, level: Level, key: str, reason: str) -> Plan[TierWrite]:
    _say_refused(stack, level, reason)
    yield from _remove(level, key)
    return TierWrite(level.name, WriteOutcome.REFUSED, reason)


def _say_refused(stack: Stack, level: Level, reason: str) -> None:
    level.recorder.wrote("write_refusals", 0.0, 0)
    stack.faults.report(
        level.name, "refused", f"Tier {level.name!r} does not take a value: {reason}"
    )


def _remove(level: Level, key: str) -> Plan[Reply]:
    ticket = level.suspects.ticket(key)
    reply: Reply = yield Delete(level.index, key)
    _trust(level, key, reply, ticket)
    return reply


def _trust(level: Level, key: str, reply: Reply, ticket: int | None) -> None:
    """Remember whether what a tier holds for a key may be believed after a change of it."""
    if reply.status == OK:
        if ticket is not None:
            level.suspects.clear(key, ticket)
    elif reply.status in (FAILED, SKIPPED):
        level.suspects.add(key, reply.now_s)


def _lifetime_in(level: Level, entry: Entry) -> float:
    return level.capped(_lifetime_s(entry), entry.grace_s)


def _lifetime_s(entry: Entry) -> float:
    return entry.stale_until_s - entry.created_s
