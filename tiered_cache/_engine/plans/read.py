"""The read plans: fall through the tiers, and promote the value that was found."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tiered_cache._engine.effects import (
    OK,
    CatchUp,
    Delete,
    Plan,
    Read,
    ReadMany,
    Reply,
    Write,
    WriteMany,
)
from tiered_cache._engine.finding import Finding, judge
from tiered_cache._engine.plans.revalidate import doubt, revalidate
from tiered_cache._engine.plans.search import OUTDATED, Search, note_copy, search
from tiered_cache._engine.plans.tags import check_tags
from tiered_cache._engine.state.flights import STRIPES
from tiered_cache.contracts import UNKNOWN, Put
from tiered_cache.entry import TOMBSTONE_LIFETIME_S, Entry, make_tombstone
from tiered_cache.errors import SerializationError
from tiered_cache.events import Event, EventKind
from tiered_cache.results import LookupStatus
from tiered_cache_policies.contracts import FoundBelow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache._engine.level import Level
    from tiered_cache._engine.stack import Stack

__all__ = ["look_again", "look_up", "look_up_many", "promote"]

_HIT, _MISS, _SKIP = LookupStatus.HIT, LookupStatus.MISS, LookupStatus.SKIP


def look_up(stack: Stack, key: str, *, past_stale: bool = False) -> Plan[Search]:
    """Look `key` up, tier by tier; promote the value that is found, as the policy says.

    It ends at a stale value, unless `past_stale`.
    """
    # `doubted` and `ended` in place: calls would be a tenth of a hit in a lower tier.
    logs = stack.logs
    logs.is_used = True
    doubted = 0
    began_s = logs.monotonic()
    if began_s >= logs.trusted_until_s and logs.doubted():
        doubted = yield CatchUp()
    epoch, ended = stack.epoch, stack.flights.ends[hash(key) % STRIPES]
    tokens: list[object] = []
    unsure = False
    for level in stack.levels:
        if level.is_live and key not in level.live and key not in level.outdated_keys:
            tokens.append(_count_live_miss(stack, level, key))
            continue
        if key in level.outdated_keys and not (yield from _delete_outdated(level, key)):
            finding = _skip_outdated(stack, level, key)
        else:
            reply = yield Read(level.index, key)
            finding = judge(key, reply, stack.codec, level.outdated.not_before_s)
            if level.index < stack.compared:
                finding = (yield from revalidate(stack, {key: finding}))[key]
            seconds = reply.seconds
            finding = yield from _weigh(stack, level, key, finding, seconds, level.index < doubted)
        if finding.status is _HIT:
            stack.count_hit(key, level.index, finding.cost_s, finding.seconds)
            found = Search(level, finding, tokens, unsure, epoch, ended, began_s)
            for put in _promotions(stack, key, found):
                _ = yield put  # a list has no place for the reply, so that `yield from` fails
            return found
        tokens.append(finding.token)
        if finding.entry is None:
            unsure = unsure or finding.status is not _MISS
        elif not past_stale:
            stack.count_stale_hit(key, level.index)
            return Search(level, finding, tokens, unsure, epoch, ended, began_s)
    stack.count_miss(key)
    return Search(None, None, tokens, unsure, epoch, ended, began_s)


def look_up_many(
    stack: Stack, keys: Sequence[str], *, past_stale: bool = False
) -> Plan[dict[str, Search]]:
    """Look `keys` up as `look_up` does; each tier is asked once, for the keys still missing."""
    began_s = stack.logs.monotonic()
    doubted = (yield CatchUp()) if stack.logs.doubted() else 0
    epoch = stack.epoch
    ended = {key: stack.flights.ended(key) for key in keys}
    found: dict[str, Search] = {}
    tokens: dict[str, list[object]] = {key: [] for key in keys}
    unsure: set[str] = set()
    for level in stack.levels:
        pending = [key for key in tokens if key not in found]
        if not pending:
            break
        if level.is_live and not level.outdated_keys and level.live.keys().isdisjoint(pending):
            for key in pending:
                tokens[key].append(_count_live_miss(stack, level, key))
            continue
        findings = yield from _consult_many(stack, level, pending, level.index < doubted)
        for key, finding in findings.items():
            if finding.status is _HIT:
                stack.count_hit(key, level.index, finding.cost_s, finding.seconds)
                found[key] = Search(
                    level, finding, tokens[key], key in unsure, epoch, ended[key], began_s
                )
                continue
            tokens[key].append(finding.token)
            if finding.entry is None and finding.status is not _MISS:
                unsure.add(key)
            elif finding.entry is not None and not past_stale:
                stack.count_stale_hit(key, level.index)
                found[key] = Search(
                    level, finding, tokens[key], key in unsure, epoch, ended[key], began_s
                )
    yield from _promote_many(stack, found)
    for key in tokens.keys() - found.keys():
        stack.count_miss(key)
        found[key] = Search(None, None, tokens[key], key in unsure, epoch, ended[key], began_s)
    return {key: found[key] for key in tokens}


def look_again(stack: Stack, key: str, *, newer_than_s: float = -math.inf) -> Plan[Search]:
    """Look `key` up once more, for its leader: only a fresh value counts. Nothing is counted."""
    return (yield from search(stack, key, newer_than_s=newer_than_s, check=check_tags))


def promote(stack: Stack, key: str, found: Search) -> Plan[None]:
    """Copy the value that was found into the tiers above it, as the policies say."""
    for put in _promotions(stack, key, found):
        _ = yield put  # as above


def _consult_many(
    stack: Stack, level: Level, keys: Sequence[str], doubted: bool
) -> Plan[dict[str, Finding]]:
    skipped: set[str] = set()
    asked: list[str] = []
    for key in keys:
        if key in level.outdated_keys and not (yield from _delete_outdated(level, key)):
            skipped.add(key)
        elif not level.is_live or key in level.live:
            asked.append(key)
    reply: Reply | None = (yield ReadMany(level.index, asked)) if asked else None
    judged: dict[str, Finding] = {}
    seconds = 0.0
    if reply is not None:
        seconds = reply.seconds / len(asked)
        not_before_s = level.outdated.not_before_s
        for key in asked:
            value = reply.value.get(key) if reply.status == OK else None
            share = reply._replace(value=value, seconds=seconds)
            judged[key] = judge(key, share, stack.codec, not_before_s)
        if level.index < stack.compared:
            judged = yield from revalidate(stack, judged)
    findings: dict[str, Finding] = {}
    # Counted in the order in which they were requested: a trace recorder sees the requests so.
    for key in keys:
        if key in skipped:
            findings[key] = _skip_outdated(stack, level, key)
        elif key not in judged:
            findings[key] = Finding(_MISS, _count_live_miss(stack, level, key))
        else:
            findings[key] = yield from _weigh(stack, level, key, judged[key], seconds, doubted)
    return findings


def _weigh(
    stack: Stack, level: Level, key: str, finding: Finding, seconds: float, doubted: bool
) -> Plan[Finding]:
    """Count one tier's finding for `key`; remove a record that no reader can use."""
    if doubted:
        finding = doubt(stack, finding)
    if finding.entry is not None and finding.entry.tags:
        finding = yield from check_tags(stack, finding)
    _count(stack, level, key, finding, seconds)
    if finding.corrupt:
        _report_corrupt(stack, level, finding)
    if finding.worthless:
        finding = yield from _drop(level, key, finding)
    return finding


def _delete_outdated(level: Level, key: str) -> Plan[bool]:
    """Delete a key of which the tier missed a change; whether it could be deleted."""
    ticket = level.outdated.ticket(key)
    reply = yield Delete(level.index, key)
    if reply.status != OK:
        return False
    if ticket is not None:
        level.outdated.clear(key, ticket)
    return True


def _skip_outdated(stack: Stack, level: Level, key: str) -> Finding:
    finding = Finding(_SKIP, why=OUTDATED)
    _count(stack, level, key, finding, 0.0)
    return finding


def _report_corrupt(stack: Stack, level: Level, finding: Finding) -> None:
    level.recorder.count("corrupt")
    done = "it was removed" if finding.worthless else "it stays until it is replaced"
    stack.faults.report(
        level.name,
        "corrupt",
        f"Tier {level.name!r} held a record that can't be used; {done}: {finding.why}",
    )


def _drop(level: Level, key: str, finding: Finding) -> Plan[Finding]:
    """Remove a worthless item from the tier; a record only if it was not replaced meanwhile.

    The finding that is returned has the token of the tier's present state, so that a fill can land.
    """
    if finding.token is UNKNOWN or not level.holds_records:
        yield Delete(level.index, key)
    else:
        # Without an instant: unreadable bytes must not refuse a value that was set before.
        item = Put(make_tombstone(0.0), TOMBSTONE_LIFETIME_S, finding.token, fill=True)
        yield Write(level.index, key, item, "deletes")
    reply = yield Read(level.index, key)
    token = reply.value.token if reply.status == OK else UNKNOWN
    return Finding(_MISS, token, finding.why)


def _count_live_miss(stack: Stack, level: Level, key: str) -> object:
    """Count a miss in a tier whose nodes say that it has none; the token of a fill."""
    level.recorder.missed()
    if stack.listeners.active:
        stack.events.note(Event(EventKind.MISS, level.name, key, 0.0, 0, "not there"))
    return level.live_token(key)


def _count(stack: Stack, level: Level, key: str, finding: Finding, seconds: float) -> None:
    status = finding.status
    saved_s = finding.cost_s - seconds if status is _HIT else 0.0
    level.looked_up(status, seconds, finding.size_bytes, saved_s)
    if stack.listeners.active:
        kind = EventKind(status.value)
        stack.events.note(Event(kind, level.name, key, seconds, finding.size_bytes, finding.why))


def _promote_many(stack: Stack, found: dict[str, Search]) -> Plan[None]:
    batches: dict[int, dict[str, Put[Any]]] = {}
    for key, each in found.items():
        if each.finding is not None and each.finding.status is _HIT:
            for put in _promotions(stack, key, each):
                batches.setdefault(put.level, {})[key] = put.item
    for index in sorted(batches, reverse=True):
        yield WriteMany(index, batches[index], "promotions")


def _promotions(stack: Stack, key: str, found: Search) -> Sequence[Write]:
    """The writes that copy a value into the tiers above it, as the policies say; slowest first."""
    source, finding, tokens, _, epoch, *_ = found
    if source is None or finding is None or finding.entry is None or stack.epoch != epoch:
        return ()
    entry = finding.entry
    if stack.unlogged is not None:
        note_copy(stack, key, entry, found)
    puts = []
    for index in range(len(tokens) - 1, -1, -1):
        into, token = stack.levels[index], tokens[index]
        if token is UNKNOWN or not _promotes(stack, key, source, finding, entry, into):
            continue
        if into.admission and not stack.admits(into, key, entry, finding.gone_s, filling=True):
            continue
        item = _item_for(stack, into, key, entry, finding.record)
        if item is not None:
            lifetime_s = into.capped(finding.gone_s, entry)
            puts.append(Write(index, key, Put(item, lifetime_s, token, True), "promotions"))
    return puts


def _promotes(
    stack: Stack, key: str, source: Level, finding: Finding, entry: Entry, into: Level
) -> bool:
    policy = stack.options.promotion
    if policy is None:
        return True
    found = FoundBelow(
        key, source.facts, finding.size_bytes, finding.age_s, finding.fresh_s, entry.cost_s
    )
    return stack.decide(policy.promote, found, into.facts, otherwise=True)


def _item_for(
    stack: Stack, into: Level, key: str, entry: Entry, record: bytes | None
) -> Entry | bytes | None:
    """The same bytes for a tier that holds bytes, the live entry for another."""
    if not into.holds_records:
        return entry
    if record is None:
        try:
            record = stack.encoder.encode(key, entry, into.reach)
        except SerializationError:
            return None
    most = into.max_item_bytes
    return record if most is None or len(record) <= most else None
