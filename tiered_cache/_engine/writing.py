"""The write plans: set, fill, delete, touch and clear."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache._engine.effects import (
    FAILED,
    OK,
    REFUSED,
    SKIPPED,
    Clear,
    Delete,
    DeleteMany,
    Plan,
    Put,
    PutMany,
    Reply,
)
from tiered_cache._engine.findings import UNKNOWN
from tiered_cache._engine.reading import peek
from tiered_cache.contracts import ANY, PutItem, Reach
from tiered_cache.entry import Entry
from tiered_cache.errors import SerializationError
from tiered_cache.outcomes import TierWrite, WriteOutcome, WriteResult
from tiered_cache_policies.contracts import WritePlan, WriteRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tiered_cache._engine.level import Level
    from tiered_cache._engine.reading import Sought
    from tiered_cache._engine.stack import Stack

__all__ = ["Records", "clear", "delete", "delete_many", "fill", "store", "store_many", "touch"]


class Records:
    """The records of one entry, encoded once for as wide a reach as its tiers need and allow."""

    def __init__(self, stack: Stack, key: str, entry: Entry) -> None:
        self._codec = stack.codec
        self._key = key
        self._entry = entry
        self._made: dict[Reach, bytes | str] = {}
        if stack.widest_reach is not None:
            record = self._of(stack.widest_reach)
            entry.size_bytes = len(record) if isinstance(record, bytes) else 0

    def item(self, level: Level) -> Entry | bytes | str:
        """What `level` is given, or a `str` that says why it can't have it."""
        return self._of(level.tier.reach) if level.holds_records else self._entry

    def _of(self, reach: Reach) -> bytes | str:
        for made_for, record in self._made.items():
            if made_for >= reach and isinstance(record, bytes):
                return record
        if reach not in self._made:
            try:
                self._made[reach] = self._codec.encode(self._key, self._entry, reach)
            except SerializationError as error:
                self._made[reach] = error.message
        return self._made[reach]


def store(stack: Stack, key: str, entry: Entry) -> Plan[WriteResult]:
    """Write a changed value to the tiers that the write policy names, whatever they hold."""
    records = Records(stack, key, entry)
    plan = _write_plan(stack, key, entry, computed=False)
    reports: dict[int, TierWrite] = {}
    for index in plan.now:
        level = stack.levels[index]
        reports[index] = yield from _write(stack, level, key, records.item(level), entry)
    for level in reversed(stack.levels):
        if level.index not in plan.now:
            yield from _remove(level, key)
            reports[level.index] = TierWrite(
                level.name, WriteOutcome.SKIPPED, "by the write policy"
            )
    return WriteResult(tuple(reports[level.index] for level in stack.levels))


def store_many(stack: Stack, entries: Mapping[str, Entry]) -> Plan[dict[str, WriteResult]]:
    """Write several changed values, each tier in one go."""
    made = {key: Records(stack, key, entry) for key, entry in entries.items()}
    plans = {key: _write_plan(stack, key, entry, computed=False) for key, entry in entries.items()}
    reports: dict[str, dict[int, TierWrite]] = {key: {} for key in entries}
    for level in reversed(stack.levels):
        index = level.index
        left_out = [key for key in entries if index not in plans[key].now]
        for key in left_out:
            yield from _remove(level, key)
            reports[key][index] = TierWrite(level.name, WriteOutcome.SKIPPED, "by the write policy")
        items = {}
        for key in entries.keys() - set(left_out):
            item = made[key].item(level)
            if isinstance(item, str):
                reports[key][index] = yield from _refuse(stack, level, key, item)
            else:
                items[key] = PutItem(item, _lifetime_s(entries[key]), ANY)
        if items:
            tickets = {key: level.suspects.ticket(key) for key in items}
            reply = yield PutMany(index, items)
            for key in items:
                landed = reply.status == OK and key in reply.value
                status = OK if landed else REFUSED if reply.status == OK else reply.status
                one = Reply(status, None, 0.0, reply.now_s, reply.reason)
                reports[key][index] = yield from _settle(level, key, one, tickets[key])
    return {
        key: WriteResult(tuple(each[level.index] for level in stack.levels))
        for key, each in reports.items()
    }


def fill(stack: Stack, key: str, entry: Entry, sought: Sought) -> Plan[None]:
    """Write a computed value where nothing changed since the lookup that missed it (law 4)."""
    if stack.epoch != sought.epoch:
        return
    records = Records(stack, key, entry)
    for index in _write_plan(stack, key, entry, computed=True).now:
        token = sought.tokens[index] if index < len(sought.tokens) else UNKNOWN
        level = stack.levels[index]
        item = records.item(level)
        if token is UNKNOWN:
            continue
        if isinstance(item, str):
            _say_refused(stack, level, item)
            continue
        yield Put(index, key, PutItem(item, _lifetime_s(entry), token))


def delete(stack: Stack, key: str) -> Plan[bool]:
    """Delete `key` everywhere, slowest tier first; whether any tier held it."""
    there = False
    for level in reversed(stack.levels):
        there = (yield from _remove(level, key)) or there
    return there


def delete_many(stack: Stack, keys: Sequence[str]) -> Plan[int]:
    """Delete `keys` everywhere, each tier in one go; the most that any one tier held."""
    count = 0
    for level in reversed(stack.levels):
        tickets = {key: level.suspects.ticket(key) for key in keys}
        reply = yield DeleteMany(level.index, keys)
        for key, ticket in tickets.items():
            _trust(level, key, reply, ticket)
        if reply.status == OK:
            count = max(count, reply.value)
    return count


def touch(stack: Stack, key: str, lifetime_s: float, now_s: float) -> Plan[bool]:
    """Give `key` a new lifetime from `now_s` on, in every tier that holds it fresh."""
    touched = False
    for level in reversed(stack.levels):
        finding = yield from peek(stack, level, key)
        entry = finding.entry
        if entry is None or finding.outcome != "hits":
            continue
        renewed = Entry(
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
        item = Records(stack, key, renewed).item(level)
        if isinstance(item, str):
            continue
        reply = yield Put(
            level.index, key, PutItem(item, lifetime_s + entry.grace_s, finding.token)
        )
        touched = touched or reply.status == OK
    return touched


def clear(stack: Stack, prefix: str) -> Plan[int]:
    """Remove every key that begins with `prefix`, slowest tier first; the most that one held."""
    count = 0
    stack.epoch += 1
    for level in reversed(stack.levels):
        reply = yield Clear(level.index, prefix)
        if reply.status == OK:
            count = max(count, reply.value)
        else:
            level.suspects.add_all(reply.now_s)
    stack.epoch += 1
    return count


def _write_plan(stack: Stack, key: str, entry: Entry, *, computed: bool) -> WritePlan:
    request = WriteRequest(key, _lifetime_s(entry), entry.cost_s, computed)
    plan = stack.options.writing.plan
    return stack.decide(plan, request, stack.facts, otherwise=stack.everywhere)


def _write(
    stack: Stack, level: Level, key: str, item: Entry | bytes | str, entry: Entry
) -> Plan[TierWrite]:
    if isinstance(item, str):
        return (yield from _refuse(stack, level, key, item))
    ticket = level.suspects.ticket(key)
    reply = yield Put(level.index, key, PutItem(item, _lifetime_s(entry), ANY))
    return (yield from _settle(level, key, reply, ticket))


def _settle(level: Level, key: str, reply: Reply, ticket: int | None) -> Plan[TierWrite]:
    """Report a write, and see to it that an older value is not served where it did not land."""
    if reply.status == REFUSED:
        yield from _remove(level, key)
        return TierWrite(level.name, WriteOutcome.REFUSED, reply.reason)
    _trust(level, key, reply, ticket)
    if reply.status == OK:
        return TierWrite(level.name, WriteOutcome.WRITTEN)
    return TierWrite(level.name, WriteOutcome.FAILED, reply.reason)


def _refuse(stack: Stack, level: Level, key: str, reason: str) -> Plan[TierWrite]:
    _say_refused(stack, level, reason)
    yield from _remove(level, key)
    return TierWrite(level.name, WriteOutcome.REFUSED, reason)


def _say_refused(stack: Stack, level: Level, reason: str) -> None:
    level.recorder.wrote("write_refusals", 0.0, 0)
    stack.faults.report(
        level.name, "refused", f"Tier {level.name!r} does not take a value: {reason}"
    )


def _remove(level: Level, key: str) -> Plan[bool]:
    ticket = level.suspects.ticket(key)
    reply = yield Delete(level.index, key)
    _trust(level, key, reply, ticket)
    return reply.status == OK and bool(reply.value)


def _trust(level: Level, key: str, reply: Reply, ticket: int | None) -> None:
    """Remember whether what a tier holds for a key may be believed after a change of it."""
    if reply.status == OK:
        level.suspects.clear(key, ticket)
    elif reply.status in (FAILED, SKIPPED):
        level.suspects.add(key, reply.now_s)


def _lifetime_s(entry: Entry) -> float:
    return entry.stale_until_s - entry.created_s
