"""The read plans: fall through the tiers, and promote what was found."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tiered_cache._engine.effects import (
    OK,
    CatchUp,
    Delete,
    Plan,
    Put,
    PutMany,
    Read,
    ReadMany,
    Reply,
)
from tiered_cache._engine.finding import UNKNOWN, Finding, judge
from tiered_cache._engine.plans.seek import Sought, doubt, seek
from tiered_cache._engine.plans.tags import check_tags
from tiered_cache.contracts import PutItem
from tiered_cache.entry import (
    TOMBSTONE_LIFETIME_S,
    Entry,
    make_tombstone,
)
from tiered_cache.errors import SerializationError
from tiered_cache.events import Event, EventKind
from tiered_cache_policies.contracts import FoundBelow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache._engine.level import Level
    from tiered_cache._engine.stack import Stack

__all__ = ["look_again", "look_up", "look_up_many", "promote"]

_NOT_READ = Reply(OK, None, 0.0, 0.0)
_EVENTS = {
    "hits": EventKind.HIT,
    "stale_hits": EventKind.STALE_HIT,
    "misses": EventKind.MISS,
    "errors": EventKind.ERROR,
    "skips": EventKind.SKIP,
}


def look_up(stack: Stack, key: str, *, past_stale: bool = False) -> Plan[Sought]:
    """Look `key` up, tier by tier; promote what is found as the policy says.

    It ends at a stale value, unless it is to go past them.
    """
    doubted = (yield CatchUp()) if stack.following.doubted() else 0
    epoch, ended = stack.epoch, stack.flights.ended(key)
    tokens: list[object] = []
    unsure = False
    for level in stack.levels:
        if key in level.suspected:
            finding = yield from _consult_suspect(stack, level, key)
        elif level.is_live and key not in level.live:
            tokens.append(level.live_token(key))
            _count_live_miss(stack, level, key)
            continue
        else:
            reply = yield Read(level.index, key)
            finding = judge(level, stack.codec, key, reply)
            if level.index < doubted:
                finding = doubt(stack, finding)
            if finding.entry is not None and finding.entry.tags:
                finding = yield from check_tags(stack, finding)
            _count(stack, level, key, finding, reply.seconds)
            if finding.corrupt:
                finding = yield from _quarantine(stack, level, key, finding)
        if finding.outcome == "hits":
            stack.count_hit(key, level.index, finding.cost_s, finding.seconds)
            sought = Sought(level, finding, tokens, unsure, epoch, ended)
            for put in _promotions(stack, key, sought):
                _ = yield put  # a list has no place for the reply, so that `yield from` fails
            return sought
        tokens.append(finding.token)
        if finding.entry is None:
            unsure = unsure or finding.outcome != "misses"
        elif not past_stale:
            stack.count_stale_hit(key, level.index)
            return Sought(level, finding, tokens, unsure, epoch, ended)
    stack.count_miss(key)
    return Sought(None, None, tokens, unsure, epoch, ended)


def look_again(stack: Stack, key: str, *, newer_than_s: float = -math.inf) -> Plan[Sought]:
    """Look `key` up once more, for its leader: only a fresh value counts, and nothing is counted."""
    return (yield from seek(stack, key, newer_than_s=newer_than_s, check=check_tags))


def promote(stack: Stack, key: str, sought: Sought) -> Plan[None]:
    """Copy what was found into the tiers above it, as the policies say."""
    for put in _promotions(stack, key, sought):
        _ = yield put  # as above


def look_up_many(
    stack: Stack, keys: Sequence[str], *, past_stale: bool = False
) -> Plan[dict[str, Sought]]:
    """Look `keys` up; each tier is asked once, for what is still missing."""
    doubted = (yield CatchUp()) if stack.following.doubted() else 0
    epoch = stack.epoch
    ended = {key: stack.flights.ended(key) for key in keys}
    found: dict[str, Sought] = {}
    tokens: dict[str, list[object]] = {key: [] for key in keys}
    unsure: set[str] = set()
    for level in stack.levels:
        pending = [key for key in tokens if key not in found]
        if not pending:
            break
        if level.is_live and not level.suspected and level.live.keys().isdisjoint(pending):
            for key in pending:
                tokens[key].append(level.live_token(key))
                _count_live_miss(stack, level, key)
            continue
        findings = yield from _consult_many(stack, level, pending, doubted=level.index < doubted)
        for key, finding in findings.items():
            if finding.entry is not None and (finding.outcome == "hits" or not past_stale):
                found[key] = Sought(level, finding, tokens[key], key in unsure, epoch, ended[key])
                if finding.outcome == "hits":
                    stack.count_hit(key, level.index, finding.cost_s, finding.seconds)
                else:
                    stack.count_stale_hit(key, level.index)
                continue
            tokens[key].append(finding.token)
            if finding.outcome in ("errors", "skips"):
                unsure.add(key)
    fresh = {key: each for key, each in found.items() if each.finding and each.finding.fresh_s > 0}
    yield from _promote_many(stack, fresh)
    for key in tokens.keys() - found.keys():
        stack.count_miss(key)
        found[key] = Sought(None, None, tokens[key], key in unsure, epoch, ended[key])
    return {key: found[key] for key in tokens}


def _consult_suspect(stack: Stack, level: Level, key: str) -> Plan[Finding]:
    """Ask a tier that missed a change of `key`, after that has been made up for."""
    if not (yield from _clear_suspicion(level, key)):
        finding = Finding("skips", why="outdated: a change did not reach this tier")
        _count(stack, level, key, finding, 0.0)
        return finding
    reply = yield Read(level.index, key)
    finding = yield from check_tags(stack, judge(level, stack.codec, key, reply))
    _count(stack, level, key, finding, reply.seconds)
    return finding


def _consult_many(
    stack: Stack, level: Level, keys: Sequence[str], *, doubted: bool
) -> Plan[dict[str, Finding]]:
    findings: dict[str, Finding] = {}
    asked: list[str] = []
    for key in keys:
        if level.is_live and key not in level.live and key not in level.suspected:
            findings[key] = Finding("misses", level.live_token(key))
        elif key not in level.suspected or (yield from _clear_suspicion(level, key)):
            asked.append(key)
        else:
            findings[key] = Finding("skips", why="outdated: a change did not reach this tier")
    reply = (yield ReadMany(level.index, asked)) if asked else _NOT_READ
    share_s = reply.seconds / max(1, len(asked))
    # Counted in the order in which they were asked for: who records requests sees them so.
    for key in keys:
        if key in findings:
            if findings[key].outcome == "misses":
                _count_live_miss(stack, level, key)
            else:
                _count(stack, level, key, findings[key], 0.0)
            continue
        value = reply.value.get(key) if reply.status == OK else None
        one = Reply(reply.status, value, share_s, reply.now_s, reply.reason)
        finding = judge(level, stack.codec, key, one)
        finding = doubt(stack, finding) if doubted else finding
        if finding.entry is not None and finding.entry.tags:
            finding = yield from check_tags(stack, finding)
        findings[key] = finding
        _count(stack, level, key, finding, share_s)
        if finding.corrupt:
            findings[key] = yield from _quarantine(stack, level, key, finding)
    return findings


def _clear_suspicion(level: Level, key: str) -> Plan[bool]:
    """Delete what a tier must not be believed; whether it could be."""
    ticket = level.suspects.ticket(key)
    reply = yield Delete(level.index, key)
    if reply.status != OK:
        return False
    if ticket is not None:
        level.suspects.clear(key, ticket)
    return True


def _quarantine(stack: Stack, level: Level, key: str, finding: Finding) -> Plan[Finding]:
    """Take bytes that nobody can use out of the tier, unless they were replaced meanwhile.

    The finding that is returned has the token of what is there now, so that a fill can land.
    """
    level.recorder.count("corrupt")
    done = "it was removed" if finding.worthless else "it stays until it is replaced"
    stack.faults.report(
        level.name,
        "corrupt",
        f"Tier {level.name!r} held a record that can't be used; {done}: {finding.why}",
    )
    if not finding.worthless:
        return finding
    if finding.token is UNKNOWN:
        yield Delete(level.index, key)
    else:
        # As of no time: that bytes can't be read is no reason to refuse what was set before.
        item = PutItem(make_tombstone(0.0), TOMBSTONE_LIFETIME_S, finding.token, fill=True)
        yield Put(level.index, key, item, "deletes")
    reply = yield Read(level.index, key)
    token = reply.value.token if reply.status == OK else UNKNOWN
    return Finding("misses", token, finding.why)


def _count_live_miss(stack: Stack, level: Level, key: str) -> None:
    level.recorder.missed()
    if stack.listeners.active:
        stack.note(Event(EventKind.MISS, level.name, key, 0.0, 0, "not there"))


def _count(stack: Stack, level: Level, key: str, finding: Finding, seconds: float) -> None:
    outcome = finding.outcome
    saved_s = finding.cost_s - seconds if outcome == "hits" and not level.is_live else 0.0
    level.looked_up(outcome, seconds, finding.size_bytes, saved_s)
    if stack.listeners.active:
        kind = _EVENTS[finding.outcome]
        stack.note(Event(kind, level.name, key, seconds, finding.size_bytes, finding.why))


def _promote_many(stack: Stack, found: dict[str, Sought]) -> Plan[None]:
    batches: dict[int, dict[str, PutItem]] = {}
    for key, sought in found.items():
        for put in _promotions(stack, key, sought):
            batches.setdefault(put.level, {})[key] = put.item
    for index in sorted(batches, reverse=True):
        yield PutMany(index, batches[index], "promotions")


def _promotions(stack: Stack, key: str, sought: Sought) -> Sequence[Put]:
    """What copies what was found into the tiers above it, as the policies say; slowest first."""
    source, finding, tokens, _, epoch, _ = sought
    if source is None or finding is None or finding.entry is None or stack.epoch != epoch:
        return ()
    entry = finding.entry
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
            puts.append(Put(index, key, PutItem(item, lifetime_s, token, True), "promotions"))
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
    """What a tier is given: the same bytes where it holds bytes, the live entry elsewhere."""
    if not into.holds_records:
        return entry
    if record is not None:
        return record
    try:
        return stack.encode(key, entry, into.tier.reach)
    except SerializationError:
        return None
