"""Merging the snapshots of several processes into one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from tiered_cache.stats.snapshot.cache_stats import CacheStats
from tiered_cache.stats.snapshot.fields import gauges, summed
from tiered_cache.stats.snapshot.gauges import largest, total
from tiered_cache.stats.snapshot.group_stats import OTHERS, GroupStats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tiered_cache.stats.snapshot.tier_stats import TierStats

__all__ = ["at_rest", "merged", "trimmed"]

_FULLNESS = ("entries", "bytes", "max_entries", "max_bytes")
_UNKNOWN: dict[str, Any] = dict.fromkeys(_FULLNESS)

Part = tuple[str, CacheStats]
T = TypeVar("T", bound=GroupStats)


def merged(parts: Iterable[Part]) -> CacheStats:
    """One snapshot for all of `parts`: counters summed, gauges joined.

    The fill levels of a shared tier count once a host, or once in all, as far as the tier reaches.

    Args:
        parts: Pairs of host name and snapshot, one a process.
    """
    given = list(parts)
    if not given:
        return CacheStats(processes=0)
    snapshots = [stats for _, stats in given]
    by_name: dict[str, list[tuple[str, TierStats]]] = {}
    for host, stats in given:
        for tier in stats.tiers:
            by_name.setdefault(tier.name, []).append((host, tier))
    return replace(
        snapshots[0],
        **_joined(snapshots),
        tiers=tuple(_merged_tiers(each) for each in by_name.values()),
        namespaces=_merged_groups([stats.namespaces for stats in snapshots]),
        functions=_merged_groups([stats.functions for stats in snapshots]),
    )


def _joined(parts: Sequence[Any]) -> dict[str, Any]:
    together = summed(parts)
    kind: Any = type(parts[0])
    for name, join in gauges(kind).items():
        together[name] = join([getattr(each, name) for each in parts])
    return together


def _merged_tiers(parts: Sequence[tuple[str, TierStats]]) -> TierStats:
    tiers = [tier for _, tier in parts]
    together = _joined(tiers)
    reach = together["reach"]
    if reach in ("host", "cluster"):
        for name in _FULLNESS:
            hosts: dict[str, list[int | None]] = {}
            for host, tier in parts:
                one = host if reach == "host" else ""
                hosts.setdefault(one, []).append(getattr(tier, name))
            together[name] = total([largest(each) for each in hosts.values()])
    if together["breaker"] != "closed":
        faults = [tier.detail for tier in tiers if tier.breaker == together["breaker"]]
        together["detail"] = faults[0]
    return replace(tiers[0], **together, curve=_merged_curves(tiers))


def _merged_curves(tiers: Sequence[TierStats]) -> tuple[float, ...]:
    known = [tier.curve for tier in tiers if tier.curve]
    if not known:
        return ()
    # A tier without a curve has `curve_lookups` 0, so its lookups distort no rate.
    return tuple(map(sum, zip(*known, strict=True)))


def _merged_groups(several: Sequence[Sequence[T]]) -> tuple[T, ...]:
    by_name: dict[str, list[T]] = {}
    for groups in several:
        for each in groups:
            by_name.setdefault(each.name, []).append(each)
    return tuple(
        replace(each[0], **summed(each)) if len(each) > 1 else each[0]
        for _, each in sorted(by_name.items())
    )


def at_rest(stats: CacheStats) -> CacheStats:
    """The snapshot of an ended process: its counters stay, its gauges are empty."""
    tiers = tuple(
        replace(tier, **_UNKNOWN, breaker="closed", detail="", lag=None) for tier in stats.tiers
    )
    return replace(
        stats,
        tiers=tiers,
        queue_depth=0,
        queue_age_s=0.0,
        queue_parked=0,
        journal_bytes=0,
        bus_lag_s=None,
        staleness_bound_s=0.0,
        processes=0,
    )


def trimmed(stats: CacheStats, most: int) -> CacheStats:
    """`stats` with at most `most` views and `most` functions; the rest count as `OTHERS`."""
    if len(stats.namespaces) <= most and len(stats.functions) <= most:
        return stats
    return replace(
        stats,
        namespaces=_trimmed(stats.namespaces, most, lambda each: each.lookups),
        functions=_trimmed(
            stats.functions, most, lambda each: each.compute_seconds + abs(each.seconds_saved)
        ),
    )


def _trimmed(groups: Sequence[T], most: int, weight: Callable[[T], float]) -> tuple[T, ...]:
    if len(groups) <= most:
        return tuple(groups)
    by_weight = sorted(groups, key=lambda each: (each.name != OTHERS, weight(each)), reverse=True)
    kept = by_weight[: most - 1]
    rest = [replace(each, name=OTHERS) for each in by_weight[most - 1 :]]
    return _merged_groups([kept, rest])
