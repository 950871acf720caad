"""The read-through plans: look up, and compute what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from tiered_cache._engine.effects import Plan, Refresh, RefreshMany
from tiered_cache._engine.plans.read import look_up, look_up_many
from tiered_cache._engine.plans.single_flight import Task, compute_once
from tiered_cache._engine.plans.single_flight_many import compute_many_once
from tiered_cache._engine.plans.touch import touch
from tiered_cache.options import OnTimeout
from tiered_cache_policies.contracts import Hit, HitAction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tiered_cache._engine.finding import Finding
    from tiered_cache._engine.plans.seek import Sought
    from tiered_cache._engine.stack import Stack
    from tiered_cache._engine.terms import Terms
    from tiered_cache.contracts.tracer import Tell
    from tiered_cache.entry import Entry

__all__ = ["get_or_compute", "get_or_compute_many"]

T = TypeVar("T")

_SERVE = HitAction()
_OUTCOMES = {"hits": "hit", "stale_hits": "stale_hit"}


def get_or_compute(
    stack: Stack,
    key: str,
    compute: Callable[[], T],
    terms: Terms,
    tell: Tell | None = None,
) -> Plan[T]:
    """The value of `key`; computed, and filled into the tiers, where none of them has it.

    A stale value is served, and refreshed, where the cache serves stale values; elsewhere it is
    no more than a miss. How the lookup ended, `tell` is told.
    """
    sought = yield from look_up(stack, key, past_stale=not stack.options.stale_for_s)
    finding = sought.finding
    serves = finding is not None and finding.entry is not None and not _waits(stack, finding)
    if tell is not None:
        outcome = _OUTCOMES[finding.outcome] if serves and finding is not None else "miss"
        tier = sought.level.name if serves and sought.level is not None else ""
        stack.decide(tell, outcome, tier, otherwise=None)
    if serves and finding is not None and finding.entry is not None:
        entry = finding.entry
        if (yield from _freshen(stack, key, finding, entry)):
            yield Refresh(key, compute, terms, entry.created_s)
        found: T = entry.value
        return found
    value: T = yield from compute_once(stack, Task(key, compute, terms), sought)
    return value


def get_or_compute_many(
    stack: Stack,
    keys: Sequence[str],
    compute_many: Callable[[Sequence[str]], dict[str, T]],
    terms: Terms,
) -> Plan[dict[str, T]]:
    """The values of `keys`; the missing ones are computed in one call.

    Stale values as with `get_or_compute`; those that are to be refreshed are computed in one call too.
    """
    sought = yield from look_up_many(stack, keys, past_stale=not stack.options.stale_for_s)
    values: dict[str, T] = {}
    missing: dict[str, Sought] = {}
    aging: dict[str, float] = {}
    for key, each in sought.items():
        finding = each.finding
        if finding is None or finding.entry is None or _waits(stack, finding):
            missing[key] = each
            continue
        entry = finding.entry
        found: Any = entry.value
        values[key] = found
        if (yield from _freshen(stack, key, finding, entry)):
            aging[key] = entry.created_s
    if aging:
        yield RefreshMany(compute_many, terms, aging)
    if missing:
        values |= yield from compute_many_once(stack, compute_many, terms, missing)
    return values


def _freshen(stack: Stack, key: str, finding: Finding, entry: Entry) -> Plan[bool]:
    """Do what the refresh policy makes of a hit; whether the value is to be computed anew."""
    if finding.outcome != "hits":
        return True
    policy = stack.options.refreshing
    lifetime_s = entry.fresh_until_s - entry.created_s
    if policy is None or finding.fresh_s > stack.window_s(lifetime_s, entry.cost_s):
        return False
    hit = Hit(key, finding.age_s, finding.fresh_s, entry.cost_s)
    action = stack.decide(policy.on_hit, hit, otherwise=_SERVE)
    if not action.refresh and action.renew_s > 0:
        now_s = entry.created_s + finding.age_s
        yield from touch(stack, key, action.renew_s, now_s)
    return action.refresh


def _waits(stack: Stack, finding: Finding) -> bool:
    """Whether the caller wants to wait for a fresh value rather than to have a stale one."""
    patient = stack.options.single_flight.on_timeout is OnTimeout.STALE
    return patient and finding.outcome != "hits"
