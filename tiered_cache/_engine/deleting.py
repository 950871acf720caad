"""The plans that take keys away: delete and clear."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tiered_cache._engine.effects import (
    OK,
    AwaitRoom,
    AwaitWritten,
    Clear,
    ClearJournal,
    DeleteMany,
    ForgetJournal,
    Plan,
    WriteJournal,
)
from tiered_cache._engine.queue import Pending
from tiered_cache._engine.trust import remove, trust
from tiered_cache_policies.contracts import WriteRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache._engine.stack import Stack
    from tiered_cache.contracts import JournalRow

__all__ = ["clear", "delete", "delete_many"]


def delete(stack: Stack, key: str) -> Plan[bool]:
    """Delete `key` everywhere, slowest tier first; whether any tier held it.

    With a journal, the deletion is on disk before a tier hears of it: a process that dies in
    between leaves no tier that still holds the value.
    """
    if stack.queues_writes:
        return (yield from _delete_for_sure(stack, key))
    there = False
    for level in reversed(stack.levels):
        there = bool((yield from remove(level, key)).value) or there
    return there


def _delete_for_sure(stack: Stack, key: str) -> Plan[bool]:
    if not stack.queue.has_room(key):
        yield AwaitRoom(key)
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
        reply = yield from remove(level, key)
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
    if not keys:
        return count
    if stack.queues_writes:
        for key in keys:
            count += yield from delete(stack, key)
        return count
    for level in reversed(stack.levels):
        tickets = {key: level.suspects.ticket(key) for key in keys}
        reply = yield DeleteMany(level.index, keys)
        for key, ticket in tickets.items():
            trust(level, key, reply, ticket)
        if reply.status == OK:
            count = max(count, reply.value)
    return count


def clear(stack: Stack, prefix: str) -> Plan[int]:
    """Remove every key that begins with `prefix`, slowest tier first; the most that one held."""
    count = 0
    failed = []
    stack.epoch += 1
    as_of_s = stack.stamp()
    waiting = stack.queue.remove_all(prefix)
    if stack.queues_writes:
        yield AwaitWritten(prefix)
    for level in reversed(stack.levels):
        reply = yield Clear(level.index, prefix)
        if reply.status == OK:
            count = max(count, reply.value)
        else:
            level.suspects.add_all(reply.now_s)
            if level.holds_records:
                failed.append(level.index)
    if stack.queues_writes:
        yield from _forget_waiting(stack, prefix, waiting, as_of_s, tuple(failed))
    stack.epoch += 1
    stack.flights.detach_all(prefix)
    return count


def _forget_waiting(
    stack: Stack, prefix: str, waiting: Sequence[Pending], as_of_s: float, failed: tuple[int, ...]
) -> Plan[None]:
    """See to it that no journal brings back what was cleared; deletions wait for tiers that failed."""
    if not failed:
        yield ClearJournal(prefix, as_of_s)
        return
    for each in waiting:
        row = each.row
        if row is not None:
            row = (yield WriteJournal(each.key, None, as_of_s, row.tiers)).value or row
        stack.queue.put(Pending(each.key, None, as_of_s, failed, row=row), replayed=True)
    stack.wake()
