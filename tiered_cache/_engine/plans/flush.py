"""The plans that write the queue down: a change yields to a newer one, and to nothing else."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tiered_cache._engine.effects import (
    OK,
    REFUSED,
    SKIPPED,
    DeleteMany,
    Plan,
    ReadHeads,
    Reply,
    Write,
    WriteMany,
)
from tiered_cache._engine.finding import as_of
from tiered_cache._engine.state.entry_records import EntryRecords
from tiered_cache.clock import SKEW_ALLOWANCE_S
from tiered_cache.contracts import Found, Put
from tiered_cache.entry import TOMBSTONE_LIFETIME_S, make_tombstone, make_voucher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache._engine.level import Level
    from tiered_cache._engine.stack import Stack
    from tiered_cache._engine.state.pending import Pending
    from tiered_cache.contracts import Absent

__all__ = ["compare", "flush", "reached"]

_UNSURE = (
    "it waited longer than deletions are remembered, and the tier has no record of its key, which may "
    "have been deleted since. Retry it if not"
)


def flush(stack: Stack, batch: Sequence[Pending], now_s: float) -> Plan[None]:
    """Write a batch to the tiers that it has not reached, the slowest first, each in one go.

    A change yields to a newer one by any writer, and to nothing else. A change that does not land is
    retried later and does not hold up the rest.
    """
    records = {
        each.key: each.records or EntryRecords(stack.encoder, each.key, each.entry)
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
                vouches = level is stack.unlogged
                item = _item(level, each, records.get(each.key), tokens[each.key], now_s, vouches)
                if item is None:
                    reached(level, each)
                else:
                    items[each.key] = item
            if items:
                yield from _write(stack, level, {each.key: each for each in waiting}, items)


def compare(stack: Stack, changes: Sequence[Pending], now_s: float) -> Plan[None]:
    """Serve changes from a journal to readers, where they are the latest.

    Until then they are `unread`. They yield to newer values in the tiers; the memory tiers drop their
    copies of the others.
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
    """For each key that may be written, the token that the tier must still hold."""
    tokens: dict[str, object] = {}
    for each in waiting:
        if each.tokens is None:
            continue
        if _is_old(stack, each, now_s):
            reached(level, each)  # a deletion since may be forgotten, and it can be recomputed
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


def _is_overtaken(stack: Stack, each: Pending, found: Found[Any] | Absent, now_s: float) -> bool:
    """Whether a tier holds a newer value. One from the future, by this clock, is not newer."""
    return each.as_of_s < as_of(stack.codec, found) <= now_s + SKEW_ALLOWANCE_S


def _give_way(level: Level, each: Pending) -> None:
    """Leave a level to its newer value. Levels above must not serve the overtaken one."""
    reached(level, each)
    if all(index < level.index for index in each.levels):
        each.entry = None


def _is_unsure(stack: Stack, each: Pending, found: Found[Any] | Absent, now_s: float) -> bool:
    """Whether the key may have been deleted since, too long ago for a tier to remember."""
    remembered = isinstance(found, Found) or found.deleted_s > -math.inf
    return not (each.entry is None or remembered or each.insists) and _is_old(stack, each, now_s)


def _is_old(stack: Stack, each: Pending, now_s: float) -> bool:
    """Whether a deletion after the change may be forgotten by now, by one clock or the other."""
    age_s = max(now_s - each.as_of_s, stack.queue.age_s(each))
    return age_s >= TOMBSTONE_LIFETIME_S - SKEW_ALLOWANCE_S


def _heads(
    stack: Stack, level: Level, changes: dict[str, Pending]
) -> Plan[dict[str, Found[Any] | Absent]]:
    """A tier's records of some keys, for their age. Changes of unreadable keys are postponed."""
    reply = yield ReadHeads(level.index, list(changes))
    if reply.status == OK:
        heads: dict[str, Found[Any] | Absent] = reply.value
        return heads
    if len(changes) == 1 or reply.status == SKIPPED:
        for each in changes.values():
            stack.queue.postpone(each, reply.reason, refused=_is_healthy(level, reply))
        return {}
    answers: dict[str, Found[Any] | Absent] = {}
    for key, each in changes.items():
        answers |= yield from _heads(stack, level, {key: each})
    return answers


def _is_healthy(level: Level, reply: Reply) -> bool:
    """Whether a failure is the record's fault and not the tier's."""
    return reply.status != SKIPPED and not level.breaker.failing


def _item(
    level: Level,
    each: Pending,
    records: EntryRecords | None,
    token: object,
    now_s: float,
    vouches: bool,
) -> Put[Any] | None:
    """The item for a tier; `None` where there is nothing to write.

    For a change that has expired, or that the tier can't hold, a tombstone: the tier's older value
    must not be served. For a value that it can't hold and that `vouches` is true for, a voucher.
    """
    if each.entry is not None and records is not None:
        lifetime_s = each.entry.stale_until_s - now_s
        item = records.item(level)
        if lifetime_s > 0 and not isinstance(item, str):
            capped_s = level.capped(lifetime_s, each.entry)
            return Put(item, capped_s, token, fill=each.tokens is not None)
        if lifetime_s > 0 and vouches:
            kept_s = max(TOMBSTONE_LIFETIME_S, lifetime_s)
            return Put(make_voucher(each.entry), kept_s, token, fill=each.tokens is not None)
        if each.tokens is not None:
            return None
    return Put(make_tombstone(each.as_of_s), TOMBSTONE_LIFETIME_S, token)


def reached(level: Level, each: Pending) -> None:
    """Note that a level has a change."""
    each.levels = tuple(index for index in each.levels if index != level.index)


def _write(
    stack: Stack, level: Level, changes: dict[str, Pending], items: dict[str, Put[Any]]
) -> Plan[None]:
    reply = yield WriteMany(level.index, items)
    if reply.status == OK:
        for key in items:
            each = changes[key]
            if key in reply.value or each.tokens is not None:
                reached(level, each)
            else:
                # It was overtaken, which the next attempt will see, or it is refused.
                stack.queue.postpone(each, f"tier {level.name!r} does not take it", refused=True)
        return
    if len(items) > 1 and reply.status != SKIPPED:
        yield from _write_one_by_one(stack, level, changes, items)
        return
    for key in items:
        stack.queue.postpone(changes[key], reply.reason, refused=_is_healthy(level, reply))


def _write_one_by_one(
    stack: Stack, level: Level, changes: dict[str, Pending], items: dict[str, Put[Any]]
) -> Plan[None]:
    """Find out whether a record or the tier made a batch fail."""
    failed: list[tuple[Pending, str]] = []
    healthy = False
    for key, item in items.items():
        reply = yield Write(level.index, key, item)
        healthy = healthy or reply.status in (OK, REFUSED)
        if reply.status == OK or (reply.status == REFUSED and changes[key].tokens is not None):
            reached(level, changes[key])
        else:
            failed.append((changes[key], reply.reason))
    for each, reason in failed:
        stack.queue.postpone(each, reason, refused=healthy)
