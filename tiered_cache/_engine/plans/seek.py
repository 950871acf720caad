"""Looking for a key without counting, promoting or changing anything."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from tiered_cache._engine.effects import CatchUp, Plan, Read
from tiered_cache._engine.finding import Finding, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tiered_cache._engine.level import Level
    from tiered_cache._engine.stack import Stack

__all__ = ["Sought", "doubt", "peek", "seek"]


class Sought(NamedTuple):
    """The result of a lookup.

    Attributes:
        level: Which tier answered; `None` for a miss.
        finding: What it holds, if one answered.
        tokens: For each tier that was asked, what a fill of it must still find.
        unsure: Whether a tier could not say if it holds the key.
        epoch: The stack's epoch when the lookup began: a `clear` since then refuses fills.
        ended: What `Flights.ended` said then: if it says something else, the value may be there.
    """

    level: Level | None
    finding: Finding | None
    tokens: Sequence[object]
    unsure: bool
    epoch: int
    ended: int


def peek(stack: Stack, level: Level, key: str) -> Plan[Finding]:
    """What one tier holds for `key`."""
    if key in level.suspected:
        return Finding("misses", why="outdated: a change did not reach this tier")
    reply = yield Read(level.index, key)
    return judge(level, stack.codec, key, reply)


def seek(
    stack: Stack,
    key: str,
    *,
    newer_than_s: float = -math.inf,
    check: Callable[[Stack, Finding], Plan[Finding]] | None = None,
) -> Plan[Sought]:
    """The first tier that holds a fresh value for `key`, one that passes `check` if it has tags."""
    doubted = (yield CatchUp()) if stack.following.doubted() else 0
    epoch, ended = stack.epoch, stack.flights.ended(key)
    tokens: list[object] = []
    for level in stack.levels:
        finding = yield from peek(stack, level, key)
        if level.index < doubted:
            finding = doubt(stack, finding)
        if check is not None and finding.entry is not None and finding.entry.tags:
            finding = yield from check(stack, finding)
        entry = finding.entry
        if entry is not None and finding.outcome == "hits" and entry.created_s > newer_than_s:
            return Sought(level, finding, tokens, False, epoch, ended)
        tokens.append(finding.token)
    return Sought(None, None, tokens, False, epoch, ended)


def doubt(stack: Stack, finding: Finding) -> Finding:
    """A finding in a tier that may hold what others have changed: only what is new is believed."""
    entry = finding.entry
    if entry is None or finding.age_s + entry.lead_s < stack.options.coherence.bound_s:
        return finding
    return Finding("skips", finding.token, "what others changed since is not known")
