"""The plan that replaces the value of a key, unless the key changed since an observation of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from tiered_cache._engine.effects import (
    OK,
    REFUSED,
    ForgetJournal,
    Plan,
    Put,
    ReadHeads,
    WakeFlusher,
)
from tiered_cache._engine.finding import as_of
from tiered_cache._engine.plans.removal import mark, remove
from tiered_cache._engine.state.entry_records import EntryRecords
from tiered_cache._engine.state.pending import Pending
from tiered_cache.contracts import Absent, Found, PutItem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache._engine.level import Level
    from tiered_cache._engine.stack import Stack
    from tiered_cache.entry import Entry

__all__ = ["Observed", "observe", "replace"]

_TRIES = 3
_UNUSED_KEY = "\0"
"""No entry has this key, so its token changes only when the tier is cleared."""
_ROUNDING_S = 2e-6
"""Records have instants in microseconds, and live entries in floats."""


class Observed(NamedTuple):
    """The state of a key in one tier.

    Attributes:
        token: The token of the key.
        expired_token: The token that the key has once its record has expired or was evicted.
        as_of_s: The instant of its record or deletion; `-inf` if it has none.
    """

    token: object
    expired_token: object
    as_of_s: float


def observe(stack: Stack, key: str) -> Plan[list[Observed | None]]:
    """The state of `key` in each tier, `None` for one that did not answer; last, that in the queue."""
    observed: list[Observed | None] = []
    held = stack.queue.held.get(key)
    for level in stack.levels:
        expired_token = level.live_token(key) if level.is_live else None
        reply = yield ReadHeads(level.index, [key, _UNUSED_KEY])
        if reply.status != OK:
            observed.append(None)
            continue
        found = reply.value[key]
        if expired_token is None:
            expired_token = reply.value[_UNUSED_KEY].token
        observed.append(Observed(found.token, expired_token, as_of(stack.codec, found)))
    if held is not None:
        observed.append(Observed(None, None, held.as_of_s))
    return observed


def replace(stack: Stack, key: str, entry: Entry, before: Sequence[Observed | None]) -> Plan[None]:
    """Store a computed entry as a change, slowest tier first; no tier keeps an older value.

    A change of the key since `before` wins, from the first tier on that has it. The result of a
    computation that began earlier does not.
    """
    began_s = entry.created_s - entry.lead_s
    held = stack.queue.held.get(key)
    if held is not None and held.tokens is None and held.as_of_s > began_s:
        return  # a change that is queued
    records = EntryRecords(stack.encoder, key, entry)
    plan = stack.plan_entry(key, entry, computed=True)
    records.measure()
    plan = stack.admitted(key, entry, plan, computed=True)
    later = _takers(stack, key, records, plan.later)
    epoch, changed = stack.epoch, False
    for level in reversed(stack.levels):
        put = None
        if level.index in (*plan.now, *plan.later) and not changed:
            put = _item(level, records)
        is_queued = put is not None and level.index in later
        if not (yield from _replace_in(stack, level, key, put, before, began_s, is_queued)):
            changed = True  # the tiers above only lose their older values
    if changed:
        return
    if later:
        pending = Pending(key, entry, began_s, later, records=records)
        stack.queue.put(pending, yields=True)
        if stack.epoch != epoch and stack.queue.held.get(key) is pending:
            # Cleared since the tiers were read. A flush could not tell that from an empty tier.
            stack.queue.remove(key)
        yield WakeFlusher()
    elif held is not None and stack.queue.held.get(key) is held:
        stack.queue.remove(key)
        if held.row is not None:
            yield ForgetJournal([held.row])


def _item(level: Level, records: EntryRecords) -> PutItem | None:
    """The item for a tier; `None` if it can't have the value."""
    item = records.item(level)
    if isinstance(item, str):
        level.report_refused(item)
        return None
    return PutItem(item, level.capped(records.entry.lifetime_s, records.entry))


def _takers(
    stack: Stack, key: str, records: EntryRecords, levels: Sequence[int]
) -> tuple[int, ...]:
    """Those of the deferred levels whose write is queued; the others are written at once."""
    if not levels or not stack.queue.has_room(key):
        return ()
    return tuple([each.index for each in records.settle([stack.levels[i] for i in levels])])


def _replace_in(
    stack: Stack,
    level: Level,
    key: str,
    put: PutItem | None,
    before: Sequence[Observed | None],
    began_s: float,
    is_queued: bool,
) -> Plan[bool]:
    """Replace or remove the record of one tier; `False` if the key changed there.

    A queued write is only checked here: it is written as any other queued change.
    """
    for _ in range(_TRIES):
        ticket = level.outdated.ticket(key)
        reply = yield ReadHeads(level.index, [key])
        if reply.status != OK:
            if not is_queued:
                yield from remove(level, key)
            return True
        found: Found | Absent = reply.value[key]
        if not _is_older(stack, found, before[level.index], before, began_s):
            return False
        if is_queued:
            return True
        if put is None:
            yield from remove(level, key)
            return True
        reply = yield Put(level.index, key, put._replace(expected=found.token))
        if reply.status == REFUSED and reply.value is False:
            continue  # changed since the heads were read
        if reply.status == REFUSED:
            yield from remove(level, key)
        else:
            mark(level, key, reply, ticket)
        return True
    return False


def _is_older(
    stack: Stack,
    found: Found | Absent,
    here: Observed | None,
    before: Sequence[Observed | None],
    began_s: float,
) -> bool:
    """Whether a tier holds nothing newer than the observation, or only an earlier computation."""
    if here is not None and found.token == here.token:
        return True
    if isinstance(found, Absent):
        is_expired = here is not None and found.token == here.expired_token
        return is_expired and found.deleted_s == -math.inf
    as_of_s = as_of(stack.codec, found)
    item = found.item
    computed = stack.codec.is_computed(item) if isinstance(item, bytes) else item.lead_s > 0
    if computed:
        return as_of_s < began_s
    # The same value: promoted from a lower tier, flushed from the queue, or touched.
    return any(each is not None and abs(each.as_of_s - as_of_s) < _ROUNDING_S for each in before)
