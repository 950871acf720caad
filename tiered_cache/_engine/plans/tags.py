"""Tags: an entry holds the versions that its tags had before it was computed.

The version of a tag is a value of the cache like any other, under a key of its own, so that the tiers'
logs and compare-and-sets keep it right among threads, processes and hosts. It is a random number and no
count: a tier that loses it loses the entries with it, where a count that begins anew would bring old ones
back.
"""

from __future__ import annotations

import math
import secrets
from typing import TYPE_CHECKING

from tiered_cache._engine.effects import OK, Plan, Put
from tiered_cache._engine.finding import UNKNOWN, Finding
from tiered_cache._engine.plans.outdated import trust
from tiered_cache._engine.plans.seek import peek, seek
from tiered_cache._engine.state.entry_records import Records
from tiered_cache.clock import SKEW_ALLOWANCE_S
from tiered_cache.contracts import ANY, PutItem
from tiered_cache.entry import Entry
from tiered_cache.keys import TAG_PREFIX
from tiered_cache.results import TierWrite, WriteOutcome, WriteResult

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tiered_cache._engine.plans.seek import Sought
    from tiered_cache._engine.stack import Stack

__all__ = ["check_tags", "invalidate_tags", "versions_after", "versions_of"]

_BITS = 53
_TRIES = 5
"""How often it is looked again who was quicker to make the first version of a tag."""


def versions_of(stack: Stack, names: Iterable[str]) -> Plan[dict[str, int] | None]:
    """The versions of tags, made where there are none; `None` where they can't be known."""
    versions: dict[str, int] = {}
    for name in names:
        entry, _ = yield from _find_or_make(stack, name)
        if entry is None:
            return None
        versions[name] = entry.value
    return versions


def versions_after(
    stack: Stack, versions: Mapping[str, int], names: Collection[str], began_s: float
) -> Plan[dict[str, int] | None]:
    """`versions` with those of more tags, which were only named in a computation.

    `None` if one of these may have been invalidated since it began: that is not known from its version.
    """
    more = dict(versions)
    for name in names:
        entry, is_new = yield from _find_or_make(stack, name)
        if entry is None or not (is_new or entry.created_s < began_s - SKEW_ALLOWANCE_S):
            return None
        more[name] = entry.value
    return more


def check_tags(stack: Stack, finding: Finding) -> Plan[Finding]:
    """A finding, if none of its tags was invalidated since; a miss otherwise."""
    entry = finding.entry
    for name, version in entry.tags.items() if entry is not None else ():
        key = TAG_PREFIX + name
        if _is_live(stack, key, version):
            continue
        sought = yield from seek(stack, key)
        current = _entry_of(sought)
        if current is not None and current.value != version:
            sought = yield from _seek_below(stack, key, sought)
            current = _entry_of(sought)
        if current is None or current.value != version:
            return Finding("misses", finding.token, f"its tag {name!r} was invalidated")
        yield from _promote(stack, key, current, sought.tokens)
    return finding


def _seek_below(stack: Stack, key: str, sought: Sought) -> Plan[Sought]:
    """The version of a tag as the slowest tier has it, which is told first when it changes.

    Faster ones may not have heard of it. Who took theirs for the last word would compute anew what
    somebody set under a newer version, and replace it for all.
    """
    above, finding = sought.level, sought.finding
    if above is None or finding is None:
        return sought
    for level in reversed(stack.levels[above.index + 1 :]):
        below = yield from peek(stack, level, key)
        if below.entry is not None and below.outcome == "hits":
            between = [UNKNOWN] * (level.index - above.index - 1)
            tokens = [*sought.tokens, finding.token, *between]
            return sought._replace(level=level, finding=below, tokens=tokens)
    return sought


def _is_live(stack: Stack, key: str, version: int) -> bool:
    """Whether memory has this version of a tag, and may hand it out: as an inlined hit reads a value.

    It saves a walk through the tiers, most of the time of a hit with tags.
    """
    node = stack.levels[0].live.get(key)
    if node is None or stack.clock.monotonic() >= node.value.until:
        return False
    node.visits += 1
    current: bool = node.value.value == version
    return current


def invalidate_tags(stack: Stack, names: Sequence[str]) -> Plan[WriteResult]:
    """Give tags new versions, in the slowest tier first."""
    worst: dict[int, TierWrite] = {level.index: level.written for level in stack.levels}
    for name in names:
        key = TAG_PREFIX + name
        entry = _new_version(stack)
        records = Records(stack, key, entry)
        for level in reversed(stack.levels):
            item = records.item(level)
            if isinstance(item, str):
                worst[level.index] = TierWrite(level.name, WriteOutcome.REFUSED, item)
                continue
            ticket = level.suspects.ticket(key)
            reply = yield Put(level.index, key, PutItem(item, math.inf, ANY))
            trust(level, key, reply, ticket)
            if reply.status != OK:
                worst[level.index] = TierWrite(level.name, WriteOutcome.FAILED, reply.reason)
    # Who asks from now on is not to be given what is being computed: which of it has the tags is not known.
    stack.flights.detach_all("")
    return WriteResult(tuple(worst[level.index] for level in stack.levels))


def _new_version(stack: Stack) -> Entry:
    return Entry(secrets.randbits(_BITS), created_s=stack.stamp())


def _find_or_make(stack: Stack, name: str) -> Plan[tuple[Entry | None, bool]]:
    """The version of a tag, and whether it was made now."""
    key = TAG_PREFIX + name
    for _ in range(_TRIES):
        sought = yield from seek(stack, key)
        entry = _entry_of(sought)
        if entry is not None:
            yield from _promote(stack, key, entry, sought.tokens)
            return entry, False
        if sought.tokens[-1] is UNKNOWN:
            break
        entry = _new_version(stack)
        if (yield from _promote(stack, key, entry, sought.tokens)):
            return entry, True
    return None, False


def _entry_of(sought: Sought) -> Entry | None:
    return None if sought.finding is None else sought.finding.entry


def _promote(stack: Stack, key: str, entry: Entry, tokens: Sequence[object]) -> Plan[bool]:
    """Copy a version into the tiers that do not have it, slowest first; whether that one took it."""
    records = Records(stack, key, entry)
    for index in range(len(tokens) - 1, -1, -1):
        item = records.item(stack.levels[index])
        if tokens[index] is UNKNOWN or isinstance(item, str):
            continue
        put = PutItem(item, math.inf, tokens[index], fill=True)
        reply = yield Put(index, key, put, "promotions")
        if reply.status != OK and index == len(tokens) - 1:
            return False
    return True
