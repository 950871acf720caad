"""The read-through plans: look up, and compute the missing values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache._engine.effects import Plan, Refresh
from tiered_cache._engine.plans.read import look_up, look_up_many
from tiered_cache._engine.plans.single_flight import compute_many_once, compute_once
from tiered_cache._engine.plans.touch import touch
from tiered_cache.options import OnTimeout
from tiered_cache.results import LookupStatus
from tiered_cache_policies.contracts import Hit, HitAction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache._engine.finding import Finding
    from tiered_cache._engine.plans.search import Search
    from tiered_cache._engine.stack import Stack
    from tiered_cache._engine.terms import Work
    from tiered_cache.contracts import Tell
    from tiered_cache.entry import Entry

__all__ = ["get_or_compute", "get_or_compute_many"]

_SERVE = HitAction()


def get_or_compute(stack: Stack, key: str, work: Work, tell: Tell | None = None) -> Plan[Any]:
    """The value of `key`; computed, and filled into the tiers, where none of them holds it.

    A stale value is served, and refreshed, if the cache serves stale values; else it is a miss.
    `tell` is told the outcome of the lookup.
    """
    found = yield from look_up(stack, key, past_stale=not stack.options.stale_for_s)
    entry = _served(stack, found)
    if tell is not None:
        _tell(stack, tell, found, entry)
    if entry is None or found.finding is None:
        return (yield from compute_once(stack, key, work, found))
    if (yield from _needs_refresh(stack, key, found.finding, entry)):
        yield Refresh(work, {key: entry.created_s})
    return entry.value


def get_or_compute_many(stack: Stack, keys: Sequence[str], work: Work) -> Plan[dict[str, Any]]:
    """The values of `keys`; the missing ones are computed in one call.

    Stale values as for `get_or_compute`; those to be refreshed are recomputed in one call too.
    """
    found = yield from look_up_many(stack, keys, past_stale=not stack.options.stale_for_s)
    values: dict[str, Any] = {}
    missing: dict[str, Search] = {}
    aging: dict[str, float] = {}
    for key, each in found.items():
        entry = _served(stack, each)
        if entry is None or each.finding is None:
            missing[key] = each
            continue
        values[key] = entry.value
        if (yield from _needs_refresh(stack, key, each.finding, entry)):
            aging[key] = entry.created_s
    if aging:
        yield Refresh(work, aging)
    if missing:
        values |= yield from compute_many_once(stack, work, missing)
    return values


def _served(stack: Stack, found: Search) -> Entry | None:
    """The entry that is served; `None` for a miss, or where the caller waits for a fresh value."""
    finding = found.finding
    if finding is None or finding.status is LookupStatus.HIT:
        return None if finding is None else finding.entry
    waits = stack.options.single_flight.on_timeout is OnTimeout.STALE
    return None if waits else finding.entry


def _tell(stack: Stack, tell: Tell, found: Search, entry: Entry | None) -> None:
    if entry is None or found.finding is None or found.level is None:
        stack.decide(tell, LookupStatus.MISS, "", otherwise=None)
    else:
        stack.decide(tell, found.finding.status, found.level.name, otherwise=None)


def _needs_refresh(stack: Stack, key: str, finding: Finding, entry: Entry) -> Plan[bool]:
    """Whether a served value is to be recomputed; a hit may renew its lifetime instead."""
    if finding.status is not LookupStatus.HIT:
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
