"""The plans of a clear: at once, and later for the tiers that it did not reach."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tiered_cache._engine.effects import (
    OK,
    REFUSED,
    AwaitWritten,
    Clear,
    ClearJournal,
    Fence,
    ForgetJournal,
    Plan,
    ReadHeads,
    Reply,
    Scan,
    WakeFlusher,
    WriteJournal,
    WriteMany,
)
from tiered_cache._engine.finding import as_of
from tiered_cache._engine.plans.flush import reached
from tiered_cache._engine.state.pending import Pending
from tiered_cache.clock import SKEW_ALLOWANCE_S
from tiered_cache.contracts import JournalRow, Put
from tiered_cache.entry import TOMBSTONE_LIFETIME_S, make_tombstone
from tiered_cache_policies.contracts import WriteRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache._engine.effects import Progress
    from tiered_cache._engine.level import Level
    from tiered_cache._engine.stack import Stack

__all__ = ["clear", "clear_late"]

_MAX_CLEARS = 1000
"""Beyond so many prefixes, everything older is cleared instead."""

_BATCH = 500
_TRIES = 3


def clear(stack: Stack, prefix: str, progress: Progress | None = None) -> Plan[int]:
    """Remove every key that begins with `prefix`, slowest tier first; the most that one tier held.

    Where writes are queued, a clear for a tier that is away is queued too.
    """
    report = None if progress is None else _never_raising(stack, progress)
    count = 0
    missed = []
    stack.epoch += 1
    as_of_s = stack.stamp()
    stack.queue.remove_all(prefix)
    if stack.queues_writes:
        yield AwaitWritten(prefix)
    for level in reversed(stack.levels):
        reply = yield Clear(level.index, prefix, report)
        if reply.status == OK:
            count = max(count, reply.value or 0)  # `None` is an unknown number
        else:
            level.outdated.add_all(reply.now_s)
            if level.holds_records:
                missed.append(level.index)
    if stack.queues_writes:
        if missed:
            yield from _queue_clear(stack, prefix, as_of_s, missed)
        # After the clear is on disk, because it replaces the deletions that waited.
        yield ClearJournal(prefix, as_of_s)
    stack.epoch += 1
    stack.flights.detach_all(prefix)
    return count


def _never_raising(stack: Stack, progress: Progress) -> Progress:
    """`progress` with its errors logged: law 1, they must not leave a clear half done."""

    def report(name: str, count: int) -> None:
        try:
            progress(name, count)
        except Exception as error:
            stack.faults.report(
                "engine", "progress", f"The progress callback of a clear failed: {error!r}"
            )

    return report


def _queue_clear(stack: Stack, prefix: str, as_of_s: float, missed: Sequence[int]) -> Plan[None]:
    """Queue a clear for the levels that it did not reach, and journal it as the policy says."""
    if len(stack.queue.clears) >= _MAX_CLEARS:
        prefix = ""
    request = WriteRequest(prefix, math.inf, 0.0, computed=False)
    plan = stack.plan_write(request)
    pending = Pending(prefix, None, as_of_s, tuple(missed))
    if plan.journal:
        covered = [index for each in stack.queue.covered_by(prefix) for index in each.levels]
        tiers = frozenset([stack.levels[index].name for index in (*missed, *covered)])
        row = JournalRow(0, prefix, None, as_of_s, tiers, clears=True)
        reply = yield WriteJournal([row])
        pending.row = reply.value[0] if reply.status == OK else None
    replaced = stack.queue.put_clear(pending)
    rows = [each.row for each in replaced if each.row is not None]
    if rows and pending.row is not None:
        yield ForgetJournal(rows)
    yield WakeFlusher()


def clear_late(stack: Stack, pending: Pending, now_s: float) -> Plan[None]:
    """Clear the tiers that missed a clear. Values written after the clear stay."""
    for index in pending.levels:
        level = stack.levels[index]
        reply = yield from _clear_level(stack, level, pending, now_s)
        if reply.status == OK:
            reached(level, pending)
    if pending.levels:
        stack.queue.postpone(pending, "a tier is away", refused=False)


def _clear_level(stack: Stack, level: Level, pending: Pending, now_s: float) -> Plan[Reply]:
    prefix = pending.key
    reply: Reply
    if level.fence is None or not level.offers.exact_scan:
        reply = yield Clear(level.index, prefix)
        return reply
    reply = yield Fence(level.index, prefix)
    if reply.status != OK:
        return reply
    reply = yield Scan(level.index, prefix)
    if reply.status != OK:
        return reply
    keys: list[str] = reply.value
    for start in range(0, len(keys), _BATCH):
        reply = yield from _bury(stack, level, keys[start : start + _BATCH], pending, now_s)
        if reply.status != OK:
            break
    return reply


def _bury(
    stack: Stack, level: Level, keys: Sequence[str], pending: Pending, now_s: float
) -> Plan[Reply]:
    """Replace those of `keys` that are older than the clear by tombstones."""
    for _ in range(_TRIES):
        reply: Reply = yield ReadHeads(level.index, keys)
        if reply.status != OK:
            return reply
        items = {
            key: Put(make_tombstone(pending.as_of_s), TOMBSTONE_LIFETIME_S, found.token)
            for key, found in reply.value.items()
            if not pending.as_of_s < as_of(stack.codec, found) <= now_s + SKEW_ALLOWANCE_S
        }
        if not items:
            return reply
        reply = yield WriteMany(level.index, items, "deletes")
        if reply.status != OK:
            return reply
        # Other writers changed the rest in between: its age is read again.
        keys = [key for key in items if key not in reply.value]
        if not keys:
            return reply
    return Reply(REFUSED, None, 0.0, now_s, "other writers keep changing its keys")
