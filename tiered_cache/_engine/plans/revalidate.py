"""Doubt about copies: those that may be outdated, and their comparison with a tier that logs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache._engine.effects import OK, UNREADABLE, Plan, ReadHeads, Reply
from tiered_cache._engine.finding import Finding
from tiered_cache.results import LookupStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tiered_cache._engine.level import Level
    from tiered_cache._engine.stack import Stack
    from tiered_cache.contracts import Absent, Found

__all__ = ["doubt", "revalidate"]


def doubt(stack: Stack, finding: Finding) -> Finding:
    """A finding in a tier whose copies may be outdated: only recent values are served."""
    entry = finding.entry
    if entry is None or finding.age_s + entry.lead_s < stack.logs.bound_s:
        return finding
    return Finding(LookupStatus.SKIP, finding.token, "changes by others may have been missed")


def revalidate(
    stack: Stack, level: Level, findings: Mapping[str, Finding]
) -> Plan[dict[str, Finding]]:
    """The findings of one tier, after a comparison with the tiers below that log no changes.

    A copy that was compared within the bound is not compared again. One that differs is a miss. While
    a tier can't be asked, the rules for a log that can't be read apply.
    """
    checked = dict(findings)
    for below in stack.unlogged:
        validators = below.validators
        if validators is None or below.reach <= level.reach:
            continue
        now_s = validators.monotonic()
        due = [
            key
            for key, each in checked.items()
            if each.entry is not None
            and now_s >= validators.trusted_until(key, each.entry.created_s)
            and not _is_queued(stack, below, key)
        ]
        if due:
            replies = yield from _heads(below, due)
            for key in due:
                checked[key] = _compare(stack, below, key, checked[key], replies[key], now_s)
    return checked


def _is_queued(stack: Stack, below: Level, key: str) -> bool:
    """Whether a change of the key by this process still waits to be written to the tier."""
    pending = stack.queue.held.get(key)
    if pending is None or pending.unread or pending.tokens is not None:
        return False
    return below.index in pending.levels


def _heads(below: Level, keys: Sequence[str]) -> Plan[dict[str, Reply]]:
    """The tier's reply for each key. One unreadable record spoils the reply for all."""
    reply: Reply = yield ReadHeads(below.index, keys)
    if reply.status == UNREADABLE and len(keys) > 1:
        replies: dict[str, Reply] = {}
        for key in keys:
            replies |= yield from _heads(below, [key])
        return replies
    answers: Mapping[str, Any] = reply.value if reply.status == OK else {}
    return {key: reply._replace(value=answers.get(key)) for key in keys}


def _compare(
    stack: Stack, below: Level, key: str, finding: Finding, reply: Reply, seen_s: float
) -> Finding:
    entry, validators = finding.entry, below.validators
    if entry is None or validators is None:
        return finding
    is_behind = key in below.outdated_keys or entry.created_s <= below.outdated.not_before_s
    if is_behind or reply.status not in (OK, UNREADABLE):
        return finding if stack.logs.serves_when_cut else doubt(stack, finding)
    answer: Found[bytes] | Absent | None = reply.value
    if answer is not None and validators.confirms(
        key, entry.created_s, finding.record, answer, seen_s
    ):
        return finding
    why = f"tier {below.name!r} holds another value, or none"
    return Finding(LookupStatus.MISS, finding.token, why, worthless=True)
