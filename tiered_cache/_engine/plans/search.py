"""Searching the tiers for a key without counting, promoting or changing anything."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from tiered_cache._engine.effects import CatchUp, Plan, Read
from tiered_cache._engine.finding import Finding, judge
from tiered_cache._engine.plans.revalidate import doubt, revalidate
from tiered_cache.contracts import TOKEN_BYTES
from tiered_cache.results import LookupStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tiered_cache._engine.level import Level
    from tiered_cache._engine.stack import Stack
    from tiered_cache.entry import Entry

__all__ = ["OUTDATED", "Search", "note_copy", "peek", "search"]

OUTDATED = "outdated: a change did not reach this tier"


class Search(NamedTuple):
    """The result of a search through the tiers.

    Attributes:
        level: The tier that answered; `None` for a miss.
        finding: Its finding, if one answered.
        tokens: For each tier that was asked, the token that a fill of it must still find.
        is_unsure: Whether a tier could not tell if it holds the key.
        epoch: The stack's epoch at the beginning: a `clear` since then refuses fills.
        ended: The result of `Flights.ended` then; if it differs later, the value may be there.
        began_s: The monotonic instant of the beginning.
    """

    level: Level | None
    finding: Finding | None
    tokens: Sequence[object]
    is_unsure: bool
    epoch: int
    ended: int
    began_s: float

    @property
    def entry(self) -> Entry | None:
        """The entry that was found; `None` for a miss."""
        return None if self.finding is None else self.finding.entry


def peek(stack: Stack, level: Level, key: str) -> Plan[Finding]:
    """One tier's finding for `key`."""
    if key in level.outdated_keys:
        return Finding(LookupStatus.MISS, why=OUTDATED)
    reply = yield Read(level.index, key)
    return judge(key, reply, stack.codec, level.outdated.not_before_s)


def search(
    stack: Stack,
    key: str,
    *,
    newer_than_s: float = -math.inf,
    check: Callable[[Stack, Finding], Plan[Finding]] | None = None,
) -> Plan[Search]:
    """The first tier that holds a fresh value for `key`.

    Args:
        stack: The stack.
        key: The key.
        newer_than_s: The wall-clock instant after which the value must have been written.
        check: The check that an entry with tags must pass.
    """
    logs = stack.logs
    doubted = 0
    began_s = logs.monotonic()
    if began_s >= logs.trusted_until_s and logs.doubted():
        doubted = yield CatchUp()
    epoch, ended = stack.epoch, stack.flights.ended(key)
    tokens: list[object] = []
    for level in stack.levels:
        if level.is_live and key not in level.live and key not in level.outdated_keys:
            tokens.append(level.live_token(key))
            continue
        finding = yield from peek(stack, level, key)
        if level.index < stack.compared:
            finding = (yield from revalidate(stack, {key: finding}))[key]
        if level.index < doubted:
            finding = doubt(stack, finding)
        if check is not None and finding.entry is not None and finding.entry.tags:
            finding = yield from check(stack, finding)
        entry = finding.entry
        is_hit = entry is not None and finding.status is LookupStatus.HIT
        if is_hit and entry is not None and entry.created_s > newer_than_s:
            return Search(level, finding, tokens, False, epoch, ended, began_s)
        tokens.append(finding.token)
    return Search(None, None, tokens, False, epoch, ended, began_s)


def note_copy(stack: Stack, key: str, entry: Entry, found: Search) -> None:
    """Note that an entry was current when a lookup found it in the slowest tier, or in none."""
    finding, level = found.finding, found.level
    if finding is not None and finding.entry is entry and finding.record is not None:
        entry.head = finding.record[:TOKEN_BYTES]
    if level is stack.unlogged or len(found.tokens) == len(stack.levels):
        stack.comparisons.note(key, entry, found.began_s)
