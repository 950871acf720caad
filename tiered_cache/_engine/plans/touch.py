"""The plan that gives a key a new lifetime."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache._engine.effects import OK, AwaitWritten, ForgetJournal, Plan, Put, WriteJournal
from tiered_cache._engine.finding import UNKNOWN
from tiered_cache._engine.plans.seek import peek
from tiered_cache._engine.state.entry_records import Records
from tiered_cache.contracts import PutItem
from tiered_cache.entry import Entry

if TYPE_CHECKING:
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
        if entry is None or finding.outcome != "hits" or finding.token is UNKNOWN:
            continue
        item = Records(stack, key, _renewed(entry, lifetime_s, now_s)).item(level)
        if isinstance(item, str):
            continue
        reply = yield Put(
            level.index,
            key,
            PutItem(item, level.capped(lifetime_s + entry.grace_s, entry), finding.token),
        )
        touched = touched or reply.status == OK
    return touched


def _touch_queued(stack: Stack, key: str, lifetime_s: float, now_s: float) -> Plan[bool]:
    """Give what waits for `key` a new lifetime; whether something fresh does."""
    yield AwaitWritten(key)
    waiting = stack.queue.held.get(key)
    entry = None if waiting is None else waiting.entry
    if waiting is None or entry is None or entry.fresh_until_s <= now_s:
        return False
    kept = entry if waiting.records is None else waiting.records.settled()
    records = Records(stack, key, _renewed(kept, lifetime_s, now_s))
    levels = [stack.levels[index] for index in waiting.levels]
    row = waiting.row
    records.settle(levels) if row is None else records.takers(levels)
    record = records.any_record()
    if row is not None and record is not None:
        reply = yield WriteJournal(key, record, row.as_of_s, row.tiers)
        row = reply.value or row
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
