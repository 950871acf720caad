"""The read-through plans: look up, and compute what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from tiered_cache._engine.effects import Plan, Refresh
from tiered_cache._engine.flying import Task, compute_once
from tiered_cache._engine.flying_many import compute_many_once
from tiered_cache._engine.reading import look_up, look_up_many
from tiered_cache._engine.touching import touch
from tiered_cache.single_flight import OnTimeout
from tiered_cache_policies.contracts import Hit, HitAction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tiered_cache._engine.findings import Finding
    from tiered_cache._engine.seeking import Sought
    from tiered_cache._engine.stack import Stack
    from tiered_cache._engine.terms import Terms
    from tiered_cache.entry import Entry

__all__ = ["get_or_compute", "get_or_compute_many"]

T = TypeVar("T")

_SERVE = HitAction()


def get_or_compute(
    stack: Stack,
    key: str,
    compute: Callable[[], T],
    terms: Terms,
) -> Plan[T]:
    """The value of `key`; computed, and filled into the tiers, where none of them has it.

    A stale value is served, and refreshed, where the cache serves stale values; elsewhere it is
    no more than a miss.
    """
    sought = yield from look_up(stack, key, past_stale=not stack.options.stale_for_s)
    finding = sought.finding
    if finding is not None and finding.entry is not None and not _waits(stack, finding):
        entry = finding.entry
        if finding.outcome != "hits":
            yield Refresh(key, compute, terms, entry.created_s)
        elif stack.options.refreshing is not None:
            yield from _freshen(stack, key, finding, entry, compute, terms)
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
    """The values of `keys`; the missing ones are computed in one call."""
    sought = yield from look_up_many(stack, keys, past_stale=True)
    values: dict[str, T] = {}
    missing: dict[str, Sought] = {}
    for key, each in sought.items():
        finding = each.finding
        if finding is not None and finding.entry is not None:
            hit: Any = finding.entry.value
            values[key] = hit
        else:
            missing[key] = each
    if missing:
        values |= yield from compute_many_once(stack, compute_many, terms, missing)
    return values


def _freshen(
    stack: Stack,
    key: str,
    finding: Finding,
    entry: Entry,
    compute: Callable[[], object],
    terms: Terms,
) -> Plan[None]:
    """Do what the refresh policy makes of a hit."""
    policy = stack.options.refreshing
    lifetime_s = entry.fresh_until_s - entry.created_s
    if policy is None or finding.fresh_s > stack.window_s(lifetime_s, entry.cost_s):
        return
    hit = Hit(key, finding.age_s, finding.fresh_s, entry.cost_s)
    action = stack.decide(policy.on_hit, hit, otherwise=_SERVE)
    if action.refresh:
        yield Refresh(key, compute, terms, entry.created_s)
    elif action.renew_s > 0:
        now_s = entry.created_s + finding.age_s
        yield from touch(stack, key, action.renew_s, now_s)


def _waits(stack: Stack, finding: Finding) -> bool:
    """Whether the caller wants to wait for a fresh value rather than to have a stale one."""
    patient = stack.options.single_flight.on_timeout is OnTimeout.STALE
    return patient and finding.outcome != "hits"
