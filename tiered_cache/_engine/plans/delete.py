"""The plan that deletes keys from every tier."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tiered_cache._engine.effects import (
    OK,
    AwaitRoom,
    AwaitWritten,
    Delete,
    DeleteMany,
    ForgetJournal,
    Plan,
    Reply,
    WakeFlusher,
    WriteJournal,
)
from tiered_cache._engine.plans.removal import mark
from tiered_cache._engine.state.pending import Pending
from tiered_cache.contracts import JournalRow
from tiered_cache_policies.contracts import WriteRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache._engine.level import Level
    from tiered_cache._engine.stack import Stack

__all__ = ["delete"]


def delete(stack: Stack, keys: Sequence[str]) -> Plan[int]:
    """Delete `keys` from every tier, slowest first, each tier in one go; the most one tier held.

    With a journal, a deletion is on disk before a tier is asked: a process that dies in between
    leaves no tier that still holds the value. Where writes are queued, one go takes as many keys as
    a flush writes.
    """
    if not keys:
        return 0
    if not stack.queues_writes:
        return max((yield from _delete_from_tiers(stack, keys, {})))
    size = stack.queue.batch_size
    totals: Sequence[int] = ()
    for start in range(0, len(keys), size):
        counts = yield from _delete_durably(stack, keys[start : start + size])
        totals = [sum(each) for each in zip(totals, counts, strict=True)] if totals else counts
    return max(totals)


def _delete_durably(stack: Stack, keys: Sequence[str]) -> Plan[list[int]]:
    """Delete `keys`, and queue the deletion for tiers that are away.

    Returns:
        How many keys each tier held, and how many values the queue held.
    """
    queue = stack.queue
    new = [key for key in keys if key not in queue.held]
    if new and not queue.has_room(new[0], len(new) - 1):
        yield AwaitRoom(new[0], len(new) - 1)
    as_of_s = stack.stamp()
    rows = yield from _journal(stack, keys, as_of_s)
    waiting = [each for key in keys if (each := queue.remove(key)) is not None]
    for each in waiting:
        if each.row is not None:
            rows.setdefault(each.key, each.row)
    for key in keys:
        # A value being flushed would land after the deletion, where a clock was set back.
        yield AwaitWritten(key)
    missed: dict[str, list[int]] = {}
    counts = yield from _delete_from_tiers(stack, keys, missed)
    if missed:
        queue.put_all(
            [
                Pending(key, None, as_of_s, tuple(levels), row=rows.pop(key, None))
                for key, levels in missed.items()
            ]
        )
        yield WakeFlusher()
    if rows:
        yield ForgetJournal(list(rows.values()))
    return [*counts, sum(each.entry is not None for each in waiting)]


def _journal(stack: Stack, keys: Sequence[str], as_of_s: float) -> Plan[dict[str, JournalRow]]:
    """Write deletions to the journal where the policy wants it; the rows by key."""
    wanted = [
        JournalRow(0, key, None, as_of_s, stack.record_tiers)
        for key in keys
        if _is_journaled(stack, key)
    ]
    if not wanted:
        return {}
    reply = yield WriteJournal(wanted)
    return {row.key: row for row in reply.value} if reply.status == OK else {}


def _is_journaled(stack: Stack, key: str) -> bool:
    """Whether the deletion of `key` goes to disk: as the policy says, or as its queued write did."""
    held = stack.queue.held.get(key)
    if held is not None and held.row is not None:
        return True
    return stack.plan_write(WriteRequest(key, math.inf, 0.0, computed=False)).journal


def _delete_from_tiers(
    stack: Stack, keys: Sequence[str], missed: dict[str, list[int]]
) -> Plan[list[int]]:
    """Delete `keys` from each tier, slowest first; how many each held. Failures go to `missed`."""
    counts = []
    for level in reversed(stack.levels):
        tickets = {key: level.outdated.ticket(key) for key in keys}
        reply = yield from _delete_from(level, keys)
        for key, ticket in tickets.items():
            mark(level, key, reply, ticket)
            if reply.status != OK and level.holds_records:
                missed.setdefault(key, []).append(level.index)
        counts.append(int(reply.value or 0) if reply.status == OK else 0)  # `None` is unknown
    return counts


def _delete_from(level: Level, keys: Sequence[str]) -> Plan[Reply]:
    effect = Delete(level.index, keys[0]) if len(keys) == 1 else DeleteMany(level.index, keys)
    reply: Reply = yield effect
    return reply
