"""Tags: an entry holds the versions that its tags had before it was computed.

The version of a tag is a value of the cache like any other, under a key of its own. So the tiers' logs
and compare-and-sets keep it right among threads, processes and hosts. It is a random number and no
count: a tier that loses it loses the entries with it, where a count that restarts would bring old
ones back.
"""

from __future__ import annotations

import math
import secrets
from typing import TYPE_CHECKING

from tiered_cache._engine.effects import OK, Plan, Write
from tiered_cache._engine.finding import Finding
from tiered_cache._engine.plans.removal import mark
from tiered_cache._engine.plans.search import Search, note_copy, peek, search
from tiered_cache._engine.state.entry_records import EntryRecords
from tiered_cache.clock import SKEW_ALLOWANCE_S
from tiered_cache.contracts import ANY, UNKNOWN, Put
from tiered_cache.entry import Entry
from tiered_cache.keys import TAG_PREFIX
from tiered_cache.results import LookupStatus, TierWrite, WriteOutcome, WriteResult

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tiered_cache._engine.stack import Stack

__all__ = ["check_tags", "invalidate_tags", "no_versions", "versions_after", "versions_of"]

_BITS = 53
_TRIES = 5
"""Attempts to make the first version of a tag, or to read that of a faster process."""


def versions_of(stack: Stack, names: Iterable[str]) -> Plan[dict[str, int] | None]:
    """The versions of tags, made where there are none; `None` where a tier that has them is away."""
    versions: dict[str, int] = {}
    for name in names:
        entry, _ = yield from _find_or_make(stack, name)
        if entry is None:
            return None
        versions[name] = entry.value
    return versions


def no_versions(stack: Stack) -> str:
    """Why the versions of tags are unknown."""
    last = stack.levels[-1]
    if last.offers.compare_and_set:
        return "the versions of its tags are unknown: the tier that all share is away, or a tag was invalidated meanwhile"
    return (
        f"tags need a tier that compares tokens as the last of the stack, and tier {last.name!r} offers "
        "no compare_and_set: put another tier below it, or use no tags"
    )


def versions_after(
    stack: Stack, versions: Mapping[str, int], names: Collection[str], began_s: float
) -> Plan[dict[str, int] | None]:
    """`versions` and the versions of `names`, the tags that a computation added.

    `None` if one of `names` may have been invalidated since `began_s`: the version that is read now
    may be the later one.
    """
    more = dict(versions)
    for name in names:
        entry, is_new = yield from _find_or_make(stack, name)
        if entry is None or not (is_new or entry.created_s < began_s - SKEW_ALLOWANCE_S):
            return None
        more[name] = entry.value
    return more


def check_tags(stack: Stack, finding: Finding) -> Plan[Finding]:
    """A finding, if none of its tags was invalidated since; else a miss."""
    entry = finding.entry
    for name, version in entry.tags.items() if entry is not None else ():
        key = TAG_PREFIX + name
        if _is_live(stack, key, version):
            continue
        found = yield from search(stack, key)
        if found.entry is not None and found.entry.value != version:
            found = yield from _search_below(stack, key, found)
        if found.entry is None or found.entry.value != version:
            why = f"its tag {name!r} was invalidated"
            return Finding(LookupStatus.MISS, finding.token, why)
        if stack.unlogged is not None:
            note_copy(stack, key, found.entry, found)
        yield from _promote(stack, key, found.entry, found.tokens)
    return finding


def _search_below(stack: Stack, key: str, found: Search) -> Plan[Search]:
    """The version of a tag in the slowest tier, which learns of a change first.

    Faster tiers may hold an older version. A reader that trusted it would recompute a value that was
    set under a newer version, and replace it for all.
    """
    above, finding = found.level, found.finding
    if above is None or finding is None:
        return found
    for level in reversed(stack.levels[above.index + 1 :]):
        below = yield from peek(stack, level, key)
        if below.entry is not None and below.status is LookupStatus.HIT:
            between = [UNKNOWN] * (level.index - above.index - 1)
            tokens = [*found.tokens, finding.token, *between]
            return found._replace(level=level, finding=below, tokens=tokens)
    return found


def _is_live(stack: Stack, key: str, version: int) -> bool:
    """Whether memory has this version of a tag and may serve it, as for an inlined hit.

    It saves a search through the tiers: most of the time of a hit with tags.
    """
    node = stack.levels[0].live.get(key)
    if node is None or stack.clock.monotonic() >= node.value.until:
        return False
    node.visits += 1
    current: bool = node.value.value == version
    return current


def invalidate_tags(stack: Stack, names: Sequence[str]) -> Plan[WriteResult]:
    """Give tags new versions, in the slowest tier first; for each tier the worst of its writes."""
    worst: dict[int, TierWrite] = {level.index: level.written for level in stack.levels}
    for name in names:
        key = TAG_PREFIX + name
        entry = _new_version(stack)
        records = EntryRecords(stack.encoder, key, entry)
        for level in reversed(stack.levels):
            item = records.item(level)
            if isinstance(item, str):
                worst[level.index] = TierWrite(level.name, WriteOutcome.REFUSED, item)
                continue
            ticket = level.outdated.ticket(key)
            reply = yield Write(level.index, key, Put(item, math.inf, ANY))
            mark(level, key, reply, ticket)
            if reply.status != OK:
                worst[level.index] = TierWrite(level.name, WriteOutcome.FAILED, reply.reason)
    # Which of the values being computed have the tags is unknown, so later callers get none of them.
    stack.flights.detach_all("")
    return WriteResult(tuple(worst[level.index] for level in stack.levels))


def _new_version(stack: Stack) -> Entry:
    return Entry(secrets.randbits(_BITS), created_s=stack.stamp())


def _find_or_make(stack: Stack, name: str) -> Plan[tuple[Entry | None, bool]]:
    """The version of a tag, and whether it is new."""
    key = TAG_PREFIX + name
    for _ in range(_TRIES):
        found = yield from search(stack, key)
        if found.entry is not None:
            if stack.unlogged is not None:
                note_copy(stack, key, found.entry, found)
            yield from _promote(stack, key, found.entry, found.tokens)
            return found.entry, False
        if found.tokens[-1] is UNKNOWN:
            break
        entry = _new_version(stack)
        if (yield from _promote(stack, key, entry, found.tokens)):
            return entry, True
    return None, False


def _promote(stack: Stack, key: str, entry: Entry, tokens: Sequence[object]) -> Plan[bool]:
    """Copy a version into the tiers that lack it, slowest first; whether the slowest one took it."""
    records = EntryRecords(stack.encoder, key, entry)
    for index in range(len(tokens) - 1, -1, -1):
        item = records.item(stack.levels[index])
        if tokens[index] is UNKNOWN or isinstance(item, str):
            continue
        put = Put(item, math.inf, tokens[index], fill=True)
        reply = yield Write(index, key, put, "promotions")
        if reply.status != OK and index == len(tokens) - 1:
            return False
    return True
