"""The plans that only ask: they promote nothing and count nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache._engine.effects import CatchUp, Plan, Read
from tiered_cache._engine.finding import judge
from tiered_cache._engine.plans.read import look_again
from tiered_cache._engine.plans.revalidate import revalidate
from tiered_cache._engine.plans.search import OUTDATED
from tiered_cache._engine.plans.tags import check_tags
from tiered_cache.results import Explanation, LookupStatus

if TYPE_CHECKING:
    from tiered_cache._engine.finding import Finding
    from tiered_cache._engine.level import Level
    from tiered_cache._engine.stack import Stack

__all__ = ["exists", "explain"]


def exists(stack: Stack, key: str) -> Plan[bool]:
    """Whether some tier holds a fresh value for `key`."""
    found = yield from look_again(stack, key)
    return found.finding is not None


def explain(stack: Stack, key: str) -> Plan[list[Explanation]]:
    """Each tier's explanation for `key`."""
    explanations = []
    doubted = (yield CatchUp()) if stack.logs.doubted() else 0
    for level in stack.levels:
        reply = yield Read(level.index, key)
        judged = judge(key, reply, stack.codec, level.outdated.not_before_s)
        if level.index < stack.compared:
            judged = (yield from revalidate(stack, {key: judged}))[key]
        finding = yield from check_tags(stack, judged)
        why = _why(level, key, finding, level.index < doubted)
        explanations.append(_explanation(level, finding, why))
    return explanations


def _why(level: Level, key: str, finding: Finding, doubted: bool) -> str:
    if key in level.outdated_keys:
        return f"{OUTDATED}; it is deleted before it is read"
    if doubted:
        return "changes by others are unknown: a shared tier below can't be asked"
    if finding.status is LookupStatus.STALE_HIT:
        return "stale: past its freshness, not yet gone"
    return finding.why


def _explanation(level: Level, finding: Finding, why: str) -> Explanation:
    entry = finding.entry
    if entry is None:
        size = len(finding.record) if finding.record is not None else None
        return Explanation(level.name, present=False, bytes=size, why=why)
    return Explanation(
        level.name,
        present=not why,
        age_s=finding.age_s,
        remaining_s=finding.fresh_s,
        bytes=finding.size_bytes,
        why=why,
        cost_s=entry.cost_s,
        tags=frozenset(entry.tags),
    )
