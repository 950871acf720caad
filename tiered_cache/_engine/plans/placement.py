"""Which tiers take a value, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache_policies.contracts import WritePlan, WriteRequest

if TYPE_CHECKING:
    from tiered_cache._engine.level import Level
    from tiered_cache._engine.stack import Stack
    from tiered_cache.entry import Entry
    from tiered_cache_policies.contracts import Durability

__all__ = ["admitted", "lifetime_in", "report_refused", "write_plan"]


def write_plan(
    stack: Stack,
    key: str,
    entry: Entry,
    *,
    computed: bool,
    durability: Durability | None = None,
) -> WritePlan:
    """The write policy's plan for an entry."""
    request = WriteRequest(key, _lifetime_s(entry), entry.cost_s, computed, durability)
    return stack.plan_write(request)


def admitted(stack: Stack, key: str, entry: Entry, plan: WritePlan, *, computed: bool) -> WritePlan:
    """`plan` without the levels whose admission policy refuses the value."""
    if not stack.measures:
        return plan
    lifetime_s = _lifetime_s(entry)

    def admitting(levels: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(
            index
            for index in levels
            if stack.admits(stack.levels[index], key, entry, lifetime_s, filling=computed)
        )

    return plan._replace(now=admitting(plan.now), later=admitting(plan.later))


def lifetime_in(level: Level, entry: Entry) -> float:
    """Seconds that a tier keeps a new entry, staleness included."""
    return level.capped(_lifetime_s(entry), entry)


def report_refused(stack: Stack, level: Level, reason: str) -> None:
    """Count and log a value that a tier can't take."""
    level.recorder.wrote("write_refusals", 0.0, 0)
    stack.faults.report(
        level.name, "refused", f"Tier {level.name!r} does not take a value: {reason}"
    )


def _lifetime_s(entry: Entry) -> float:
    return entry.stale_until_s - entry.created_s
