"""Doubt about copies: those that may be outdated, and their comparison with a tier that logs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache._engine.effects import FAILED, OK, UNREADABLE, Plan, ReadHeads, Reply
from tiered_cache._engine.finding import Finding
from tiered_cache._engine.state.comparisons import is_current
from tiered_cache.contracts import TOKEN_BYTES, Absent, Found
from tiered_cache.errors import TierUnavailableError
from tiered_cache.results import LookupStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tiered_cache._engine.level import Level
    from tiered_cache._engine.stack import Stack

__all__ = ["doubt", "revalidate"]


def doubt(stack: Stack, finding: Finding) -> Finding:
    """A finding in a tier whose copies may be outdated: only recent values are served."""
    entry = finding.entry
    if entry is None or finding.age_s + entry.lead_s < stack.logs.bound_s:
        return finding
    return Finding(LookupStatus.SKIP, finding.token, "changes by others may have been missed")


def revalidate(stack: Stack, findings: Mapping[str, Finding]) -> Plan[dict[str, Finding]]:
    """The findings of a tier above one that logs no changes, after a comparison with that one.

    A copy that was compared within the bound is not compared again. One that differs is a miss. While
    the tier below can't be asked, the rules for a log that can't be read apply.
    """
    checked = dict(findings)
    below = stack.unlogged
    if below is None:
        return checked
    now_s = stack.logs.monotonic()
    due = [key for key, each in checked.items() if _is_due(stack, below, key, each, now_s)]
    replies = (yield from _heads(stack, below, due)) if due else {}
    for key, reply in replies.items():
        checked[key] = _compare(stack, below, key, checked[key], reply, now_s)
    return checked


def _is_due(stack: Stack, below: Level, key: str, finding: Finding, now_s: float) -> bool:
    entry = finding.entry
    if entry is None:
        return False
    if finding.record is not None:
        entry.head = finding.record[:TOKEN_BYTES]
    return now_s >= stack.comparisons.trusted_until(key, entry) and not _is_queued(
        stack, below, key
    )


def _is_queued(stack: Stack, below: Level, key: str) -> bool:
    """Whether a change of the key by this process still waits to be written to the tier."""
    pending = stack.queue.held.get(key)
    if pending is None or pending.unread or pending.tokens is not None:
        return False
    return below.index in pending.levels


def _heads(stack: Stack, below: Level, keys: Sequence[str]) -> Plan[dict[str, Reply]]:
    """The tier's reply for each key. One unreadable record spoils the reply for all."""
    try:
        reply: Reply = yield ReadHeads(below.index, keys)
    except TierUnavailableError as error:  # of a strict stack
        if not stack.logs.serves_when_cut:
            raise
        reply = Reply(FAILED, None, 0.0, stack.clock.wall(), error.message)
    if reply.status == UNREADABLE and len(keys) > 1:
        middle = len(keys) // 2
        first = yield from _heads(stack, below, keys[:middle])
        return first | (yield from _heads(stack, below, keys[middle:]))
    answers: Mapping[str, Any] = reply.value if reply.status == OK else {}
    return {key: reply._replace(value=answers.get(key)) for key in keys}


def _compare(
    stack: Stack, below: Level, key: str, finding: Finding, reply: Reply, seen_s: float
) -> Finding:
    entry = finding.entry
    if entry is None:
        return finding
    is_behind = key in below.outdated_keys or entry.created_s <= below.outdated.not_before_s
    if is_behind or reply.status not in (OK, UNREADABLE):
        return finding if stack.logs.serves_when_cut else doubt(stack, finding)
    answer: object = reply.value
    # Anything else is a wrong answer of the tier, and no proof.
    is_answer = isinstance(answer, Absent) or (
        isinstance(answer, Found) and isinstance(answer.item, bytes)
    )
    if is_answer and is_current(entry, reply.value):
        stack.comparisons.note(key, entry, seen_s)
        return finding
    why = f"tier {below.name!r} holds another value, or none"
    return Finding(LookupStatus.MISS, finding.token, why, worthless=True)
