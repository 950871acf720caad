"""The plans of a clear that did not reach every tier: it is queued, and made up for when they are back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tiered_cache._engine.effects import (
    OK,
    REFUSED,
    Clear,
    Fence,
    ForgetJournal,
    Plan,
    PutMany,
    ReadHeads,
    Reply,
    Scan,
    WriteJournalMany,
)
from tiered_cache._engine.plans.write_back import as_of, reached
from tiered_cache._engine.state.write_queue import Pending
from tiered_cache.clock import SKEW_ALLOWANCE_S
from tiered_cache.contracts import JournalRow, PutItem
from tiered_cache.entry import TOMBSTONE_LIFETIME_S, make_tombstone
from tiered_cache_policies.contracts import WriteRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache._engine.level import Level
    from tiered_cache._engine.stack import Stack

__all__ = ["clear_late", "queue_clear"]

_MAX_CLEARS = 1000
"""Past so many prefixes, everything that is older is cleared instead."""

_BATCH = 500
_TRIES = 3


def queue_clear(stack: Stack, prefix: str, as_of_s: float, missed: Sequence[int]) -> Plan[None]:
    """Queue a clear for the levels that it did not reach, and journal it as the policy says."""
    if len(stack.queue.clears) >= _MAX_CLEARS:
        prefix = ""
    request = WriteRequest(prefix, math.inf, 0.0, computed=False)
    plan = stack.plan_write(request)
    clearing = Pending(prefix, None, as_of_s, tuple(missed))
    if plan.journal:
        covered = [index for each in stack.queue.covered_by(prefix) for index in each.levels]
        tiers = frozenset([stack.levels[index].name for index in (*missed, *covered)])
        row = JournalRow(0, prefix, None, as_of_s, tiers, clears=True)
        reply = yield WriteJournalMany([row])
        clearing.row = reply.value[0] if reply.status == OK else None
    over = stack.queue.put_clear(clearing)
    rows = [each.row for each in over if each.row is not None]
    if rows and clearing.row is not None:
        yield ForgetJournal(rows)
    stack.wake()


def clear_late(stack: Stack, clearing: Pending, now_s: float) -> Plan[None]:
    """Clear the tiers that have missed it: what they hold that is newer than the clear stays."""
    for index in clearing.levels:
        level = stack.levels[index]
        reply = yield from _clear(stack, level, clearing, now_s)
        if reply.status == OK:
            reached(level, clearing)
    if clearing.levels:
        stack.queue.postpone(clearing, "a tier is away", refused=False)


def _clear(stack: Stack, level: Level, clearing: Pending, now_s: float) -> Plan[Reply]:
    prefix = clearing.key
    reply: Reply
    if level.fence is None:
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
        reply = yield from _bury(stack, level, keys[start : start + _BATCH], clearing, now_s)
        if reply.status != OK:
            break
    return reply


def _bury(
    stack: Stack, level: Level, keys: Sequence[str], clearing: Pending, now_s: float
) -> Plan[Reply]:
    """Put tombstones in the places of those keys that are older than the clear."""
    tries = 0
    while True:
        tries += 1
        reply: Reply = yield ReadHeads(level.index, keys)
        if reply.status != OK:
            return reply
        items = {
            key: PutItem(make_tombstone(clearing.as_of_s), TOMBSTONE_LIFETIME_S, found.token)
            for key, found in reply.value.items()
            if not clearing.as_of_s < as_of(stack, found) <= now_s + SKEW_ALLOWANCE_S
        }
        if not items:
            return reply
        reply = yield PutMany(level.index, items, "deletes")
        if reply.status != OK:
            return reply
        # Others wrote the rest in between: it is looked again how old that is.
        keys = [key for key in items if key not in reply.value]
        if not keys:
            return reply
        if tries == _TRIES:
            return Reply(REFUSED, None, 0.0, reply.now_s, "others keep writing its keys")
