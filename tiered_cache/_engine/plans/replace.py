"""The plan that replaces the value of a key, unless the key changed since an observation of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from tiered_cache._engine.effects import (
    OK,
    REFUSED,
    ForgetJournal,
    Plan,
    ReadHeads,
    WakeFlusher,
    Write,
)
from tiered_cache._engine.finding import as_of
from tiered_cache._engine.plans.removal import mark, remove, withhold
from tiered_cache._engine.state.entry_records import EntryRecords
from tiered_cache._engine.state.pending import Pending
from tiered_cache.contracts import TOKEN_BYTES, UNKNOWN, Absent, Found, Put

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache._engine.level import Level
    from tiered_cache._engine.stack import Stack
    from tiered_cache.entry import Entry

__all__ = ["Before", "observe", "replace"]

_TRIES = 3
_UNUSED_KEY = "\0"
"""Any key that no cache uses has the same token in a tier with a fence, until it is cleared."""


class Observed(NamedTuple):
    """The state of a key in one tier.

    Attributes:
        found: The head of its record, or its absence.
        absent_token: The token of the key once its record has expired or was evicted; `UNKNOWN` for
            a tier that has no such rule.
    """

    found: Found[Any] | Absent
    absent_token: object


class Before(NamedTuple):
    """The state of a key before a computation.

    Attributes:
        tiers: Its state in each tier; `None` for a tier that did not answer.
        held: Its queued change, if there is one.
    """

    tiers: Sequence[Observed | None]
    held: Pending | None


class _Replacement(NamedTuple):
    stack: Stack
    key: str
    records: EntryRecords
    before: Before
    began_s: float


def observe(stack: Stack, key: str) -> Plan[Before]:
    """The state of `key` in each tier and in the queue."""
    held = stack.queue.held.get(key)
    tiers: list[Observed | None] = []
    for level in stack.levels:
        absent_token = UNKNOWN if level.offers.live is None else level.live_token(key)
        reply = yield ReadHeads(level.index, [key, _UNUSED_KEY])
        if reply.status != OK:
            tiers.append(None)
            continue
        if level.fence is not None:
            absent_token = reply.value[_UNUSED_KEY].token
        tiers.append(Observed(reply.value[key], absent_token))
    return Before(tiers, held)


def replace(stack: Stack, key: str, entry: Entry, before: Before) -> Plan[None]:
    """Store a computed entry as a change, slowest tier first; no tier keeps an older value.

    A change of the key since `before` wins, from the first tier on that has it. The result of a
    computation that began earlier does not.
    """
    queue = stack.queue
    if _is_new_change(queue.held.get(key), before):
        return
    records = EntryRecords(stack.encoder, key, entry)
    plan = stack.plan_entry(key, entry, computed=True)
    records.measure()
    plan = stack.admitted(key, entry, plan, computed=True)
    later = _takers(stack, key, records, plan.later)
    replacement = _Replacement(stack, key, records, before, entry.created_s - entry.lead_s)
    epoch, changed, is_stored = stack.epoch, False, False
    for level in reversed(stack.levels):
        takes = level.index in (*plan.now, *plan.later) and not changed
        # A tier without tokens could not refuse the value if a change came first.
        takes = takes and level.offers.compare_and_set
        is_queued = takes and level.index in later
        if is_queued:
            is_older = yield from _is_still_older(replacement, level)
        else:
            is_older = yield from _replace_in(replacement, level, takes=takes)
        if is_older:
            is_stored = is_stored or (takes and not is_queued)
            continue
        changed = True  # the tiers above only lose their older values
        if is_stored:
            # A later change comes back from below, an older value must not stay.
            yield from remove(level, key)
    held = queue.held.get(key)
    if changed or _is_new_change(held, before):
        return
    if later:
        pending = Pending(key, entry, replacement.began_s, later, records=records)
        if queue.exchange(key, held, pending) and stack.epoch != epoch:
            # Cleared since the tiers were read. A flush could not tell that from an empty tier.
            queue.exchange(key, pending, None)
        yield WakeFlusher()
    elif held is not None and queue.exchange(key, held, None) and held.row is not None:
        yield ForgetJournal([held.row])


def _is_new_change(held: Pending | None, before: Before) -> bool:
    return held is not None and held.tokens is None and held is not before.held


def _takers(
    stack: Stack, key: str, records: EntryRecords, levels: Sequence[int]
) -> tuple[int, ...]:
    """Those of the deferred levels whose write is queued; the others are written at once."""
    if not levels or not stack.queue.has_room(key):
        return ()
    return tuple([each.index for each in records.settle([stack.levels[i] for i in levels])])


def _is_still_older(replacement: _Replacement, level: Level) -> Plan[bool]:
    """Whether the key did not change in a tier; a queued change needs no answer."""
    reply = yield ReadHeads(level.index, [replacement.key])
    return reply.status != OK or _is_older(replacement, level, reply.value[replacement.key])


def _replace_in(replacement: _Replacement, level: Level, *, takes: bool) -> Plan[bool]:
    """Replace the record of a tier, or remove it unless it `takes` the value; `False` if it changed."""
    key = replacement.key
    item = replacement.records.item(level) if takes else ""
    if takes and isinstance(item, str):
        level.report_refused(item)
    entry = replacement.records.entry
    for _ in range(_TRIES):
        ticket = level.outdated.ticket(key)
        reply = yield ReadHeads(level.index, [key])
        if reply.status != OK:
            yield from remove(level, key)
            return True
        found: Found[Any] | Absent = reply.value[key]
        if not _is_older(replacement, level, found):
            return False
        if isinstance(item, str):
            reply = yield from withhold(replacement.stack, level, key, entry, found.token)
            if reply.status == REFUSED and reply.value is False:
                continue  # changed since the heads were read
            return True
        put = Put(item, level.capped(entry.lifetime_s, entry), found.token)
        reply = yield Write(level.index, key, put)
        if reply.status == REFUSED and reply.value is False:
            continue  # as above
        if reply.status == REFUSED:
            reply = yield from withhold(replacement.stack, level, key, entry, found.token)
            if reply.status == REFUSED and reply.value is False:
                continue  # as above
        else:
            mark(level, key, reply, ticket)
        return True
    return False


def _is_older(replacement: _Replacement, level: Level, found: Found[Any] | Absent) -> bool:
    """Whether a tier holds nothing newer than the observation, or only an earlier computation.

    Instants decide between computations only. Two changes may be of the same instant.
    """
    here = replacement.before.tiers[level.index]
    if found.token is UNKNOWN:
        if isinstance(found, Absent):
            return here is not None and isinstance(here.found, Absent)
        return _is_copy(replacement.before, level, found)
    if here is not None and found.token == here.found.token:
        return True
    if level.offers.live is not None:
        if here is not None and level.live_token(replacement.key) == here.absent_token:
            return True  # only fills since: promotions and earlier computations
    elif isinstance(found, Absent):
        is_expired = here is not None and found.token == here.absent_token
        return is_expired and found.deleted_s == -math.inf
    if isinstance(found, Absent):
        return False
    codec = replacement.stack.codec
    item = found.item
    if codec.is_computed(item) if isinstance(item, bytes) else item.lead_s > 0:
        return as_of(codec, found) < replacement.began_s
    return _is_copy(replacement.before, level, found)


def _is_copy(before: Before, level: Level, found: Found[Any]) -> bool:
    """Whether a record is the observed one of this tier, another tier or the queue."""
    items: list[object] = [
        each.found.item
        for each in before.tiers
        if each is not None and isinstance(each.found, Found)
    ]
    if before.held is not None and before.held.records is not None:
        items.append(before.held.records.settled_for(level))
    item = found.item
    if not isinstance(item, bytes):
        return any(each is item for each in items)
    head = item[:TOKEN_BYTES]
    return any(isinstance(each, bytes) and each[:TOKEN_BYTES] == head for each in items)
