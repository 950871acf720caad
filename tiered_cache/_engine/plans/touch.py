"""The plan that gives a key a new lifetime."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache._engine.effects import (
    OK,
    AwaitWritten,
    ForgetJournal,
    Plan,
    ReadHeads,
    Write,
    WriteJournal,
)
from tiered_cache._engine.plans.removal import withhold
from tiered_cache._engine.plans.search import peek
from tiered_cache._engine.state.comparisons import is_current
from tiered_cache._engine.state.entry_records import EntryRecords
from tiered_cache.contracts import UNKNOWN, Absent, Put
from tiered_cache.entry import Entry
from tiered_cache.results import LookupStatus

if TYPE_CHECKING:
    from tiered_cache._engine.level import Level
    from tiered_cache._engine.stack import Stack

__all__ = ["touch"]


def touch(stack: Stack, key: str, lifetime_s: float, now_s: float) -> Plan[bool]:
    """Give `key` a new lifetime from `now_s` on, in every tier that holds it fresh."""
    touched = False
    if key in stack.queue.held:
        touched = yield from _touch_queued(stack, key, lifetime_s, now_s)
    for level in reversed(stack.levels):
        finding = yield from peek(stack, level, key)
        entry = finding.entry
        is_hit = finding.status is LookupStatus.HIT
        if entry is None or not is_hit or finding.token is UNKNOWN:
            continue
        renewed = _renewed(entry, lifetime_s, now_s)
        item = EntryRecords(stack.encoder, key, renewed).item(level)
        if isinstance(item, str):
            continue
        longest_s = level.capped(lifetime_s + entry.grace_s, entry)
        reply = yield Write(level.index, key, Put(item, longest_s, finding.token))
        touched = touched or reply.status == OK
        if reply.status == OK and stack.unlogged is not None and level is not stack.unlogged:
            yield from _renew_voucher(stack, stack.unlogged, key, renewed)
    return touched


def _renew_voucher(stack: Stack, level: Level, key: str, renewed: Entry) -> Plan[None]:
    """Give the voucher for a touched copy the copy's new lifetime, where there is one."""
    reply = yield ReadHeads(level.index, [key])
    found = reply.value.get(key) if reply.status == OK else None
    if isinstance(found, Absent) and is_current(renewed, found):
        yield from withhold(stack, level, key, renewed, found.token)


def _touch_queued(stack: Stack, key: str, lifetime_s: float, now_s: float) -> Plan[bool]:
    """Give the queued write of `key` a new lifetime; whether it holds a fresh value."""
    yield AwaitWritten(key)
    waiting = stack.queue.held.get(key)
    entry = None if waiting is None else waiting.entry
    if waiting is None or entry is None or entry.fresh_until_s <= now_s:
        return False
    kept = entry if waiting.records is None else waiting.records.settled()
    records = EntryRecords(stack.encoder, key, _renewed(kept, lifetime_s, now_s))
    levels = [stack.levels[index] for index in waiting.levels]
    row = waiting.row
    records.settle(levels) if row is None else records.takers(levels)
    record = records.any_record()
    if row is not None and record is not None:
        reply = yield WriteJournal([row._replace(serial=0, record=record, trouble="")])
        row = reply.value[0] if reply.status == OK else row
    renewed = stack.queue.renew(waiting, records, row)
    if not renewed and row is not None:
        yield ForgetJournal([row])
    return renewed


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
