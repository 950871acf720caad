"""The read-through plans: look up, compute what is missing, and fill."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from tiered_cache._engine.effects import Compute, Plan
from tiered_cache._engine.reading import look_up, look_up_many
from tiered_cache._engine.writing import fill
from tiered_cache.entry import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tiered_cache._engine.stack import Stack

__all__ = ["Terms", "get_or_compute", "get_or_compute_many", "make_entry"]

T = TypeVar("T")


class Terms(NamedTuple):
    """Under which terms a value is stored."""

    lifetime_s: float = math.inf
    tags: frozenset[str] = frozenset()


def make_entry(
    value: object, terms: Terms, now_s: float, cost_s: float = 0.0, lead_s: float = 0.0
) -> Entry:
    """The entry of a value that is written now."""
    return Entry(
        value,
        created_s=now_s,
        fresh_until_s=now_s + terms.lifetime_s,
        cost_s=cost_s,
        lead_s=lead_s,
        tags=terms.tags,
    )


def get_or_compute(
    stack: Stack,
    key: str,
    compute: Callable[[], T],
    terms: Terms,
) -> Plan[T]:
    """The value of `key`; computed, and filled into the tiers, where none of them has it."""
    sought = yield from look_up(stack, key)
    finding = sought.finding
    if finding is not None and finding.entry is not None and finding.outcome == "hits":
        hit: T = finding.entry.value
        return hit
    value, seconds, now_s, lead_s = yield Compute(compute, (key,))
    yield from fill(stack, key, make_entry(value, terms, now_s, seconds, lead_s), sought)
    result: T = value
    return result


def get_or_compute_many(
    stack: Stack,
    keys: Sequence[str],
    compute_many: Callable[[Sequence[str]], Mapping[str, T]],
    terms: Terms,
) -> Plan[dict[str, T]]:
    """The values of `keys`; the missing ones are computed in one call."""
    sought = yield from look_up_many(stack, keys)
    values: dict[str, T] = {}
    missing: list[str] = []
    for key, each in sought.items():
        finding = each.finding
        if finding is not None and finding.entry is not None and finding.outcome == "hits":
            hit: Any = finding.entry.value
            values[key] = hit
        else:
            missing.append(key)
    if missing:
        made, seconds, now_s, lead_s = yield Compute(lambda: dict(compute_many(missing)), missing)
        cost_s = seconds / len(missing)
        for key in missing:
            if key in made:
                values[key] = made[key]
                entry = make_entry(made[key], terms, now_s, cost_s, lead_s)
                yield from fill(stack, key, entry, sought[key])
    return values
