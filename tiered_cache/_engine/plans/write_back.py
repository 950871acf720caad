"""The write-back plans: what is queued instead of written, and how the queue is written."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tiered_cache._engine.effects import (
    OK,
    REFUSED,
    SKIPPED,
    AwaitRoom,
    DeleteMany,
    Plan,
    Put,
    PutMany,
    ReadHeads,
    Reply,
    WriteJournal,
    WriteJournalMany,
)
from tiered_cache._engine.state.entry_records import Records
from tiered_cache._engine.state.write_queue import Pending
from tiered_cache.clock import SKEW_ALLOWANCE_S
from tiered_cache.contracts import Absent, Found, JournalRow, PutItem
from tiered_cache.entry import TOMBSTONE_LIFETIME_S, make_tombstone
from tiered_cache.events import Event, EventKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tiered_cache._engine.level import Level
    from tiered_cache._engine.stack import Stack
    from tiered_cache.entry import Entry
    from tiered_cache_policies.contracts import WritePlan

__all__ = ["as_of", "compare", "enqueue", "enqueue_many", "flush", "reached"]

_UNSURE = (
    "it waited for longer than deletions are remembered, and the key is not there: it may have been "
    "deleted since. Retry it if not"
)


def enqueue(stack: Stack, key: str, records: Records, plan: WritePlan) -> Plan[WritePlan]:
    """Queue a changed value as `plan` says; the plan for what is still to be written now.

    Where the journal fails, nothing is queued: all is written now, and the caller is told.
    """
    if not stack.queue.has_room(key):
        yield AwaitRoom(key)
    entry = records.entry
    later = _takers(stack, records, plan)
    row: JournalRow | None = None
    record = records.any_record() if plan.journal else None
    if record is not None:
        tiers = _journaled_for(stack, plan, later)
        reply = yield WriteJournal(key, record, entry.created_s, tiers)
        if reply.status != OK:
            return _all_now(plan)
        row = reply.value
    if later:
        stack.queue.put(Pending(key, entry, entry.created_s, later, records=records, row=row))
        stack.wake()
        _say_queued(stack, key, entry, later)
    return _without(plan, later)


def enqueue_many(
    stack: Stack, made: Mapping[str, Records], plans: Mapping[str, WritePlan]
) -> Plan[dict[str, WritePlan]]:
    """Queue several changed values as `enqueue` does, with one transaction of the journal."""
    wanted = {key: plan for key, plan in plans.items() if plan.later}
    new = [key for key in wanted if key not in stack.queue.held]
    if new and not stack.queue.has_room(new[0], len(new) - 1):
        yield AwaitRoom(new[0], len(new) - 1)
    later = {key: _takers(stack, made[key], plan) for key, plan in wanted.items()}
    rows: dict[str, JournalRow] = {}
    for key, plan in wanted.items():
        record = made[key].any_record() if plan.journal else None
        if record is not None:
            tiers = _journaled_for(stack, plan, later[key])
            rows[key] = JournalRow(0, key, record, made[key].entry.created_s, tiers)
    if rows:
        reply = yield WriteJournalMany(list(rows.values()))
        if reply.status != OK:
            return {key: _all_now(plan) for key, plan in plans.items()}
        rows = dict(zip(rows, reply.value, strict=True))
    changes = []
    for key, levels in later.items():
        entry = made[key].entry
        if levels:
            row = rows.get(key)
            records = made[key]
            changes.append(Pending(key, entry, entry.created_s, levels, records=records, row=row))
            _say_queued(stack, key, entry, levels)
    stack.queue.put_all(changes)
    if changes:
        stack.wake()
    return {key: _without(plan, later.get(key, ())) for key, plan in plans.items()}


def _takers(stack: Stack, records: Records, plan: WritePlan) -> tuple[int, ...]:
    """The levels of those that are written later that take the value, which is settled for them."""
    levels = [stack.levels[index] for index in plan.later]
    takers = records.takers(levels) if plan.journal else records.settle(levels)
    return plan.later if len(takers) == len(levels) else tuple([each.index for each in takers])


def _journaled_for(stack: Stack, plan: WritePlan, later: Sequence[int]) -> frozenset[str]:
    names = {stack.levels[index].name for index in (*plan.now, *later)}
    return stack.record_tiers & names


def _say_queued(stack: Stack, key: str, entry: Entry, levels: Sequence[int]) -> None:
    if stack.listeners.active:
        for index in levels:
            name = stack.levels[index].name
            stack.note(Event(EventKind.WRITE, name, key, 0.0, entry.size_bytes, "queued"))


def _all_now(plan: WritePlan) -> WritePlan:
    return plan._replace(now=(*plan.later, *plan.now), later=())


def _without(plan: WritePlan, later: tuple[int, ...]) -> WritePlan:
    """A plan whose levels `later` are queued; those that refuse the value say so when written now."""
    if later == plan.later:
        return plan
    refusing = [index for index in plan.later if index not in later]
    return plan._replace(now=(*refusing, *plan.now), later=later)


def flush(stack: Stack, batch: Sequence[Pending], now_s: float) -> Plan[None]:
    """Write a batch to the tiers that it has not reached, the lowest first, each in one go.

    A change gives way to what is newer than itself, whoever wrote it, and to nothing else. What
    does not land is tried again later, and does not hold up the rest.
    """
    records = {
        each.key: each.records or Records(stack, each.key, each.entry)
        for each in batch
        if each.entry is not None
    }
    for level in reversed(stack.levels):
        waiting = [each for each in batch if level.index in each.levels]
        if waiting:
            tokens = yield from _tokens(stack, level, waiting, now_s)
            items = {}
            for each in waiting:
                if each.key not in tokens:
                    continue
                item = _item(level, each, records.get(each.key), tokens[each.key], now_s)
                if item is None:
                    reached(level, each)
                else:
                    items[each.key] = item
            if items:
                yield from _write(stack, level, {each.key: each for each in waiting}, items)


def compare(stack: Stack, changes: Sequence[Pending], now_s: float) -> Plan[None]:
    """Let readers have changes that were queued from outside, where they are the latest.

    Until then they are `unread`. They give way to what the tiers hold that is newer; of the others
    the tiers of this process forget what they held before.
    """
    for level in reversed(stack.levels):
        here = {each.key: each for each in changes if level.index in each.levels}
        if here:
            reply = yield ReadHeads(level.index, list(here))
            for key, found in reply.value.items() if reply.status == OK else ():
                if _is_overtaken(stack, here[key], found, now_s):
                    _give_way(level, here[key])
    for each in changes:
        each.unread = False
    latest = [each.key for each in changes if each.levels]
    for level in stack.levels:
        if latest and not level.holds_records:
            yield DeleteMany(level.index, latest)


def _tokens(
    stack: Stack, level: Level, waiting: Sequence[Pending], now_s: float
) -> Plan[dict[str, object]]:
    """What a tier must still hold of each key that may be written."""
    tokens: dict[str, object] = {}
    for each in waiting:
        if each.tokens is None:
            continue
        if _is_old(stack, each, now_s):
            reached(level, each)  # a deletion since may be forgotten; it can be computed again
        else:
            tokens[each.key] = each.tokens[level.index]
    changes = {each.key: each for each in waiting if each.tokens is None}
    if not changes:
        return tokens
    answers = yield from _heads(stack, level, changes)
    for key, found in answers.items():
        each = changes[key]
        if _is_overtaken(stack, each, found, now_s):
            _give_way(level, each)
        elif _is_unsure(stack, each, found, now_s):
            stack.queue.give_up(each, _UNSURE)
        else:
            tokens[key] = found.token
    return tokens


def _is_overtaken(stack: Stack, each: Pending, found: Found | Absent, now_s: float) -> bool:
    """Whether a tier holds something newer; what is of the future by this clock is not."""
    return each.as_of_s < as_of(stack, found) <= now_s + SKEW_ALLOWANCE_S


def _give_way(level: Level, each: Pending) -> None:
    """Leave a level to what is newer there; those above are not to serve what was overtaken below."""
    reached(level, each)
    if all(index < level.index for index in each.levels):
        each.entry = None


def _is_unsure(stack: Stack, each: Pending, found: Found | Absent, now_s: float) -> bool:
    """Whether the key may have been deleted since so long ago that no tier remembers it."""
    remembered = isinstance(found, Found) or found.deleted_s > -math.inf
    return not (each.entry is None or remembered or each.insists) and _is_old(stack, each, now_s)


def _is_old(stack: Stack, each: Pending, now_s: float) -> bool:
    """Whether what was deleted after a change may have been forgotten, by one clock or the other."""
    age_s = max(now_s - each.as_of_s, stack.queue.age_s(each))
    return age_s >= TOMBSTONE_LIFETIME_S - SKEW_ALLOWANCE_S


def _heads(
    stack: Stack, level: Level, changes: dict[str, Pending]
) -> Plan[dict[str, Found | Absent]]:
    """How old what a tier holds for some keys is; what can't be told is tried again later."""
    reply = yield ReadHeads(level.index, list(changes))
    if reply.status == OK:
        heads: dict[str, Found | Absent] = reply.value
        return heads
    if len(changes) == 1 or reply.status == SKIPPED:
        for each in changes.values():
            stack.queue.postpone(each, reply.reason, refused=_is_healthy(level, reply))
        return {}
    answers: dict[str, Found | Absent] = {}
    for key, each in changes.items():
        answers |= yield from _heads(stack, level, {key: each})
    return answers


def _is_healthy(level: Level, reply: Reply) -> bool:
    """Whether a failure is a record's own fault, and not the tier's."""
    return reply.status != SKIPPED and not level.breaker.failing


def as_of(stack: Stack, found: Found | Absent) -> float:
    """As of when what a tier holds for a key was decided."""
    if isinstance(found, Absent):
        return found.deleted_s
    item = found.item
    return stack.codec.as_of(item) if isinstance(item, bytes) else item.created_s - item.lead_s


def _item(
    level: Level, each: Pending, records: Records | None, token: object, now_s: float
) -> PutItem | None:
    """What a tier is given; `None` where there is nothing to write.

    Of a change that is over, or that the tier can't hold, a tombstone: what it held before is older
    still, and must not be served.
    """
    if each.entry is not None and records is not None:
        lifetime_s = each.entry.stale_until_s - now_s
        item = records.item(level)
        if lifetime_s > 0 and not isinstance(item, str):
            capped_s = level.capped(lifetime_s, each.entry)
            return PutItem(item, capped_s, token, fill=each.tokens is not None)
        if each.tokens is not None:
            return None
    return PutItem(make_tombstone(each.as_of_s), TOMBSTONE_LIFETIME_S, token)


def reached(level: Level, each: Pending) -> None:
    """Remember that a level has a change."""
    each.levels = tuple(index for index in each.levels if index != level.index)


def _write(
    stack: Stack, level: Level, changes: dict[str, Pending], items: dict[str, PutItem]
) -> Plan[None]:
    reply = yield PutMany(level.index, items)
    if reply.status == OK:
        for key in items:
            each = changes[key]
            if key in reply.value or each.tokens is not None:
                reached(level, each)
            else:
                # Either it was overtaken, which the next attempt will see, or it is refused.
                stack.queue.postpone(each, f"tier {level.name!r} does not take it", refused=True)
        return
    if len(items) > 1 and reply.status != SKIPPED:
        yield from _write_one_by_one(stack, level, changes, items)
        return
    for key in items:
        stack.queue.postpone(changes[key], reply.reason, refused=_is_healthy(level, reply))


def _write_one_by_one(
    stack: Stack, level: Level, changes: dict[str, Pending], items: dict[str, PutItem]
) -> Plan[None]:
    """Find out whose fault it is that a batch failed: a record's, or the tier's."""
    failed: list[tuple[Pending, str]] = []
    healthy = False
    for key, item in items.items():
        reply = yield Put(level.index, key, item)
        healthy = healthy or reply.status in (OK, REFUSED)
        if reply.status == OK or (reply.status == REFUSED and changes[key].tokens is not None):
            reached(level, changes[key])
        else:
            failed.append((changes[key], reply.reason))
    for each, reason in failed:
        stack.queue.postpone(each, reason, refused=healthy)
