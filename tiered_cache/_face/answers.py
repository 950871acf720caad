"""Search results of the engine as the values and results that callers get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache.results import Lookup, LookupStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tiered_cache._engine.plans.search import Search

__all__ = ["fresh_value", "fresh_values", "to_lookup"]


def fresh_value(found: Search, default: Any) -> Any:
    """The value that was found fresh, else `default`."""
    finding = found.finding
    if finding is None or finding.entry is None or finding.status is not LookupStatus.HIT:
        return default
    return finding.entry.value


def fresh_values(found: Mapping[str, Search]) -> Iterator[tuple[str, Any]]:
    """The keys whose values were found fresh, with the values."""
    for key, each in found.items():
        finding = each.finding
        if finding is not None and finding.entry and finding.status is LookupStatus.HIT:
            yield key, finding.entry.value


def to_lookup(found: Search) -> Lookup:
    """The public result of a lookup."""
    finding, level = found.finding, found.level
    if finding is None or finding.entry is None or level is None:
        return Lookup(LookupStatus.ERROR if found.is_unsure else LookupStatus.MISS)
    entry = finding.entry
    return Lookup(
        finding.status,
        entry.value,
        level.name,
        age_s=finding.age_s,
        remaining_s=finding.fresh_s,
        cost_s=entry.cost_s,
        tags=frozenset(entry.tags),
    )
