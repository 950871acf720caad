"""The read-through plans: look up, compute what is missing, fill, and refresh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from tiered_cache._engine.effects import Compute, Plan, Refresh
from tiered_cache._engine.reading import Sought, look_up, look_up_many, peek, promote
from tiered_cache._engine.terms import Terms, make_entry
from tiered_cache._engine.touching import touch
from tiered_cache._engine.writing import fill
from tiered_cache.errors import TieredCacheError
from tiered_cache_policies.contracts import Hit, HitAction

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tiered_cache._engine.effects import Computed
    from tiered_cache._engine.findings import Finding
    from tiered_cache._engine.stack import Stack
    from tiered_cache.entry import Entry

__all__ = ["get_or_compute", "get_or_compute_many", "refresh"]

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
    if finding is not None and finding.entry is not None:
        entry = finding.entry
        if finding.outcome != "hits":
            yield Refresh(key, compute, terms, entry.created_s)
        elif stack.options.refreshing is not None:
            yield from _freshen(stack, key, finding, entry, compute, terms)
        found: T = entry.value
        return found
    computed: Computed = yield Compute(compute, (key,))
    yield from _keep(stack, key, computed.value, terms, computed, sought)
    value: T = computed.value
    return value


def get_or_compute_many(
    stack: Stack,
    keys: Sequence[str],
    compute_many: Callable[[Sequence[str]], Mapping[str, T]],
    terms: Terms,
) -> Plan[dict[str, T]]:
    """The values of `keys`; the missing ones are computed in one call."""
    sought = yield from look_up_many(stack, keys, past_stale=True)
    values: dict[str, T] = {}
    missing: list[str] = []
    for key, each in sought.items():
        finding = each.finding
        if finding is not None and finding.entry is not None:
            hit: Any = finding.entry.value
            values[key] = hit
        else:
            missing.append(key)
    if missing:
        computed: Computed = yield Compute(lambda: dict(compute_many(missing)), missing)
        made: Mapping[str, T] = computed.value
        for key in missing:
            if key in made:
                values[key] = made[key]
                yield from _keep(stack, key, made[key], terms, computed, sought[key])
    return values


def refresh(
    stack: Stack, key: str, compute: Callable[[], object], terms: Terms, seen_s: float
) -> Plan[None]:
    """Compute `key` anew, unless somebody else did since the value that was written at `seen_s`."""
    epoch = stack.epoch
    tokens: list[object] = []
    for level in stack.levels:
        finding = yield from peek(stack, level, key)
        entry = finding.entry
        if entry is not None and finding.outcome == "hits" and entry.created_s > seen_s:
            yield from promote(stack, key, Sought(level, finding, tokens, False, epoch))
            return
        tokens.append(finding.token)
    computed: Computed = yield Compute(compute, (key,))
    sought = Sought(None, None, tokens, False, epoch)
    yield from _keep(stack, key, computed.value, terms, computed, sought)


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


def _keep(
    stack: Stack, key: str, value: object, terms: Terms, computed: Computed, sought: Sought
) -> Plan[None]:
    """Store a computed value as its terms, the policies and the function itself say."""
    if computed.computation.skipped:
        return
    try:
        entry = make_entry(
            stack,
            key,
            value,
            terms.told(computed.computation),
            computed.now_s,
            computed.seconds / computed.keys,
            computed.lead_s,
        )
    except TieredCacheError as error:
        # The caller gets what was computed; that it can't be stored is no fault of the function.
        stack.faults.report("terms", type(error).__name__, f"A value is not stored: {error}")
        return
    yield from fill(stack, key, entry, sought)
