"""The plans that only ask: they promote nothing and count nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache._engine.effects import CatchUp, Plan, Read
from tiered_cache._engine.finding import judge
from tiered_cache._engine.plans.read import look_again
from tiered_cache._engine.plans.tags import check_tags
from tiered_cache.results import Explanation

if TYPE_CHECKING:
    from tiered_cache._engine.stack import Stack

__all__ = ["exists", "explain"]


def exists(stack: Stack, key: str) -> Plan[bool]:
    """Whether some tier holds a fresh value for `key`."""
    sought = yield from look_again(stack, key)
    return sought.finding is not None


def explain(stack: Stack, key: str) -> Plan[list[Explanation]]:
    """What each tier says of `key`."""
    answers = []
    doubted = (yield CatchUp()) if stack.following.doubted() else 0
    for level in stack.levels:
        reply = yield Read(level.index, key)
        finding = yield from check_tags(stack, judge(level, stack.codec, key, reply))
        why = finding.why
        if key in level.suspected:
            why = "outdated: a change did not reach this tier; it is deleted before it is read"
        elif level.index < doubted:
            why = "what others changed is not known: a shared tier below can't be asked"
        elif finding.outcome == "stale_hits":
            why = "stale: past its freshness, not yet gone"
        entry = finding.entry
        if entry is None:
            size = len(finding.record) if finding.record is not None else None
            answers.append(Explanation(level.name, present=False, bytes=size, why=why))
            continue
        answers.append(
            Explanation(
                level.name,
                present=not why,
                age_s=finding.age_s,
                remaining_s=finding.fresh_s,
                bytes=finding.size_bytes,
                why=why,
                cost_s=entry.cost_s,
                tags=frozenset(entry.tags),
            )
        )
    return answers
