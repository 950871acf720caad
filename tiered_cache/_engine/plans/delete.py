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
    WriteJournalMany,
)
from tiered_cache._engine.plans.clear_late import queue_clear
from tiered_cache._engine.plans.outdated import remove, trust
from tiered_cache._engine.state.write_queue import Pending
from tiered_cache.contracts import JournalRow
from tiered_cache_policies.contracts import WriteRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache._engine.effects import Progress
    from tiered_cache._engine.stack import Stack

__all__ = ["clear", "delete", "delete_many"]


def delete(stack: Stack, key: str) -> Plan[bool]:
    """Delete `key` everywhere, slowest tier first; whether any tier held it.

    With a journal, the deletion is on disk before a tier hears of it: a process that dies in
    between leaves no tier that still holds the value.
    """
    if stack.queues_writes:
        return any((yield from _delete_for_sure(stack, [key])))
    there = False
    for level in reversed(stack.levels):
        there = bool((yield from remove(level, key)).value) or there
    return there


def delete_many(stack: Stack, keys: Sequence[str]) -> Plan[int]:
    """Delete `keys` everywhere, each tier in one go; the most that any one tier held.

    Where writes are queued, in one go for as many keys as a flush writes.
    """
    if not keys:
        return 0
    if not stack.queues_writes:
        return max((yield from _delete_from_tiers(stack, keys, {})))
    limits = stack.queue.limits
    size = min(limits.max_batch, limits.max_pending)
    counts: Sequence[int] = ()
    for start in range(0, len(keys), size):
        more = yield from _delete_for_sure(stack, keys[start : start + size])
        counts = [sum(each) for each in zip(counts, more, strict=True)] if counts else more
    return max(counts, default=0)


def _delete_for_sure(stack: Stack, keys: Sequence[str]) -> Plan[list[int]]:
    """Delete `keys`, and queue it for tiers that are away; how many each tier held, and the queue."""
    queue = stack.queue
    new = [key for key in keys if key not in queue.held]
    if new and not queue.has_room(new[0], len(new) - 1):
        yield AwaitRoom(new[0], len(new) - 1)
    as_of_s = stack.stamp()
    wanted = [
        JournalRow(0, key, None, as_of_s, stack.record_tiers)
        for key in keys
        if _is_journaled(stack, key)
    ]
    rows: dict[str, JournalRow] = {}
    if wanted:
        reply = yield WriteJournalMany(wanted)
        if reply.status == OK:
            rows = {row.key: row for row in reply.value}
    waiting = [each for key in keys if (each := queue.remove(key)) is not None]
    for each in waiting:
        if each.row is not None:
            rows.setdefault(each.key, each.row)
    for key in keys:
        # What is on its way down would else come after the deletion, by a clock that was set back.
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
        stack.wake()
    if rows:
        yield ForgetJournal(list(rows.values()))
    return [*counts, sum(each.entry is not None for each in waiting)]


def _is_journaled(stack: Stack, key: str) -> bool:
    """Whether the deletion of `key` is to be on disk: as the policy says, or as what waits for it is."""
    held = stack.queue.held.get(key)
    if held is not None and held.row is not None:
        return True
    return stack.plan_write(WriteRequest(key, math.inf, 0.0, computed=False)).journal


def _delete_from_tiers(
    stack: Stack, keys: Sequence[str], missed: dict[str, list[int]]
) -> Plan[list[int]]:
    """Delete `keys` from each tier in one go, the slowest first; how many each held, and what it missed."""
    counts = []
    for level in reversed(stack.levels):
        tickets = {key: level.suspects.ticket(key) for key in keys}
        reply = yield DeleteMany(level.index, keys)
        for key, ticket in tickets.items():
            trust(level, key, reply, ticket)
            if reply.status != OK and level.holds_records:
                missed.setdefault(key, []).append(level.index)
        counts.append(reply.value if reply.status == OK else 0)
    return counts


def clear(stack: Stack, prefix: str, progress: Progress | None = None) -> Plan[int]:
    """Remove every key that begins with `prefix`, slowest tier first; the most that one held.

    Where writes are queued, so is a clear for a tier that is away.
    """
    told = None if progress is None else _never_raising(stack, progress)
    count = 0
    failed = []
    stack.epoch += 1
    as_of_s = stack.stamp()
    stack.queue.remove_all(prefix)
    if stack.queues_writes:
        yield AwaitWritten(prefix)
    for level in reversed(stack.levels):
        reply = yield Clear(level.index, prefix, told)
        if reply.status == OK:
            count = max(count, reply.value)
        else:
            level.suspects.add_all(reply.now_s)
            if level.holds_records:
                failed.append(level.index)
    if stack.queues_writes:
        if failed:
            yield from queue_clear(stack, prefix, as_of_s, failed)
        # After the clear is on disk: it takes the place of the deletions that waited.
        yield ClearJournal(prefix, as_of_s)
    stack.epoch += 1
    stack.flights.detach_all(prefix)
    return count


def _never_raising(stack: Stack, progress: Progress) -> Progress:
    """`progress`, whose faults are logged: law 1, a clear is not left half done for them."""

    def tell(name: str, count: int) -> None:
        try:
            progress(name, count)
        except Exception as error:
            stack.faults.report(
                "engine", "progress", f"Who is told of a clear's progress failed: {error!r}"
            )

    return tell
