"""What the engine found, in the words that callers are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache.results import Lookup, LookupStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tiered_cache._engine.plans.seek import Sought

__all__ = ["fresh_value", "fresh_values", "to_lookup"]


def fresh_value(sought: Sought, default: Any) -> Any:
    """The value that a lookup found fresh, else `default`."""
    found = sought.finding
    fresh = found is not None and found.outcome == "hits"
    return found.entry.value if fresh and found and found.entry else default


def fresh_values(sought: Mapping[str, Sought]) -> Iterator[tuple[str, Any]]:
    """The keys whose values were found fresh, and these."""
    for key, each in sought.items():
        finding = each.finding
        if finding is not None and finding.entry is not None and finding.outcome == "hits":
            yield key, finding.entry.value


def to_lookup(sought: Sought) -> Lookup:
    """What a lookup came to."""
    finding, level = sought.finding, sought.level
    if finding is None or finding.entry is None or level is None:
        return Lookup(LookupStatus.ERROR if sought.unsure else LookupStatus.MISS)
    entry = finding.entry
    return Lookup(
        LookupStatus.HIT if finding.outcome == "hits" else LookupStatus.STALE,
        entry.value,
        level.name,
        age_s=finding.age_s,
        remaining_s=finding.fresh_s,
        cost_s=entry.cost_s,
        tags=frozenset(entry.tags),
    )
