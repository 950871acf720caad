"""Frozen statistics: what a cache and each of its tiers did, and the rules of counting.

**Counting rules.** One lookup of one key asks the tiers from the fastest down, and adds exactly
one to one of five counters of each tier that it reaches:

- `hits`: the tier held a fresh record that could be read. The lookup ends there.
- `stale_hits`: the tier held a record past its freshness but not yet gone.
- `misses`: the tier answered, and holds nothing usable: no record, an expired one, or bytes that
  are not a record of ours. The last are also counted in `corrupt`.
- `errors`: the tier was asked and failed, or did not answer within its deadline.
- `skips`: the tier was not asked, because its breaker is open or it does not run yet.

So `lookups`, their sum, is the number of times that a lookup reached the tier. For the cache as a
whole `hits` are the lookups that any tier answered, `misses` those that none did. `exists`,
`explain`, `keys` and the reads that a write does for itself count nothing.

A snapshot has counters, which say what happened, and gauges, which say how things stand now:
`tiered_cache.stats.snapshot.fields` has how each subtracts and adds up. Counters only grow, so that what
happened in a window is the difference of two snapshots.

`seconds_saved` adds, for each hit, the seconds that computing the value once took, less the
seconds that the lookup took. It is an estimate: a memory tier adds up its hits per entry, without
a lock. `seconds_spent` is what was spent all the same: computing, reading and writing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self, TypeVar

from tiered_cache.stats.output.html import to_html
from tiered_cache.stats.snapshot.fields import counter, durations, gauge, less
from tiered_cache.stats.snapshot.gauges import all_true, largest, total
from tiered_cache.stats.snapshot.group_stats import FunctionStats, GroupStats, NamespaceStats
from tiered_cache.stats.snapshot.tier_stats import BreakerChange, TierStats
from tiered_cache_policies.statistics.histogram import LatencyHistogram

if TYPE_CHECKING:
    import os

__all__ = [
    "BreakerChange",
    "CacheStats",
    "FunctionStats",
    "GroupStats",
    "NamespaceStats",
    "TierStats",
]


@dataclass(frozen=True, slots=True)
class CacheStats:
    """What a cache did up to one instant; see the module for the counting rules.

    Attributes:
        hits: Lookups that some tier answered with a fresh value.
        stale_hits: Lookups answered with a stale value.
        misses: Lookups that no tier answered.
        coalesced: Misses that took the outcome of a computation that was under way.
        computes: Computations that finished.
        compute_errors: Computations that raised.
        compute_seconds: Seconds spent computing.
        tiers: Each tier, fastest first.
        counted: Whether anything was counted: if not, zeros say nothing.
        namespaces: Each view that was looked into, by its name; `"a/b"` is a view of a view.
        functions: Each function that `cached` wraps and that was called.
        waits: How often a caller waited for a computation of another one.
        recomputes: How many computations were of keys that the same process had computed before; an
            estimate, from a sample of the keys.
        compute_latency: The distribution of the times of computations.
        serialize_latency: That of turning values into records, if the statistics policy keeps it.
        queue_depth: Keys, and clears, that wait in the write-back queue.
        queue_age_s: Seconds for which the oldest of them waits.
        queue_parked: Queued writes that were given up and are in the journal.
        journal_bytes: The size of the journal on disk.
        bus_lag_s: Seconds since it was last known what others had changed, of the tier of which that
            is longest ago (`TierStats.lag`); `None` where no tier says.
        staleness_bound_s: For how long a value may be served that was changed elsewhere; `inf`
            where nothing bounds it.
        processes: How many processes the snapshot is of.
    """

    hits: int = counter()
    stale_hits: int = counter()
    misses: int = counter()
    coalesced: int = counter()
    computes: int = counter()
    compute_errors: int = counter()
    compute_seconds: float = counter(0.0)
    tiers: tuple[TierStats, ...] = ()
    counted: bool = gauge(all_true, True)
    namespaces: tuple[NamespaceStats, ...] = ()
    functions: tuple[FunctionStats, ...] = ()
    waits: int = counter()
    recomputes: float = counter(0.0)
    compute_latency: LatencyHistogram | None = durations()
    serialize_latency: LatencyHistogram | None = durations()
    queue_depth: int = gauge(total, 0)
    queue_age_s: float = gauge(largest, 0.0)
    queue_parked: int = gauge(total, 0)
    journal_bytes: int = gauge(total, 0)
    bus_lag_s: float | None = gauge(largest, None)
    staleness_bound_s: float = gauge(largest, 0.0)
    processes: int = gauge(total, 1)

    @property
    def lookups(self) -> int:
        """All lookups of single keys."""
        return self.hits + self.stale_hits + self.misses

    @property
    def hit_rate(self) -> float:
        """Hits per lookup; 0.0 without lookups."""
        return self.hits / self.lookups if self.lookups else 0.0

    @property
    def miss_rate(self) -> float:
        """Misses per lookup; 0.0 without lookups."""
        return self.misses / self.lookups if self.lookups else 0.0

    @property
    def size(self) -> int:
        """Entries in the tier that holds most of them."""
        return max((tier.entries or 0 for tier in self.tiers), default=0)

    @property
    def evictions(self) -> int:
        """Entries that any tier let go to stay within its bounds."""
        return sum(tier.evictions for tier in self.tiers)

    @property
    def seconds_saved(self) -> float:
        """Seconds of computing that hits made unnecessary, less what the hits took."""
        return sum(tier.seconds_saved for tier in self.tiers)

    @property
    def seconds_spent(self) -> float:
        """Seconds that went into computing, and into reading and writing all tiers."""
        return self.compute_seconds + sum(
            tier.read_seconds + tier.write_seconds for tier in self.tiers
        )

    @property
    def cost_per_hit_s(self) -> float:
        """Seconds spent reading all tiers per hit; 0.0 without hits."""
        reading_s = sum(tier.read_seconds for tier in self.tiers)
        return reading_s / self.hits if self.hits else 0.0

    def tier(self, name: str) -> TierStats:
        """The statistics of the tier called `name`; `KeyError` if there is none."""
        for each in self.tiers:
            if each.name == name:
                return each
        raise KeyError(name)

    def namespace(self, name: str) -> NamespaceStats:
        """The statistics of the view called `name`; all zero if nothing was looked up there."""
        for each in self.namespaces:
            if each.name == name:
                return each
        return NamespaceStats(name)

    def function(self, name: str) -> FunctionStats:
        """The statistics of the function called `name`; all zero if it was not called."""
        for each in self.functions:
            if each.name == name:
                return each
        return FunctionStats(name)

    def snapshot(self) -> Self:
        """Itself: statistics never change once they are taken."""
        return self

    def __sub__(self, earlier: CacheStats) -> CacheStats:
        """What happened since `earlier`, a snapshot of the same cache."""
        before = {tier.name: tier for tier in earlier.tiers}
        return replace(
            self,
            **less(self, earlier),
            tiers=tuple(
                tier - before[tier.name] if tier.name in before else tier for tier in self.tiers
            ),
            namespaces=_less_by_name(self.namespaces, earlier.namespaces),
            functions=_less_by_name(self.functions, earlier.functions),
        )

    def _repr_html_(self) -> str:
        return to_html(self)

    def plot(self, path: str | os.PathLike[str] | None = None) -> Any:
        """A picture, saved as `path` if there is one: see `tiered_cache.stats.output.plot.plot`."""
        from tiered_cache.stats.output.plot import plot

        return plot(self, path)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, with the derived figures, ready for JSON."""
        return {
            "counted": self.counted,
            "hits": self.hits,
            "stale_hits": self.stale_hits,
            "misses": self.misses,
            "lookups": self.lookups,
            "hit_rate": self.hit_rate,
            "miss_rate": self.miss_rate,
            "size": self.size,
            "evictions": self.evictions,
            "coalesced": self.coalesced,
            "computes": self.computes,
            "compute_errors": self.compute_errors,
            "compute_seconds": self.compute_seconds,
            "seconds_saved": self.seconds_saved,
            "seconds_spent": self.seconds_spent,
            "cost_per_hit_s": self.cost_per_hit_s,
            "waits": self.waits,
            "recomputes": self.recomputes,
            "compute_latency": _latency(self.compute_latency),
            "serialize_latency": _latency(self.serialize_latency),
            "queue_depth": self.queue_depth,
            "queue_age_s": self.queue_age_s,
            "queue_parked": self.queue_parked,
            "journal_bytes": self.journal_bytes,
            "bus_lag_s": self.bus_lag_s,
            "staleness_bound_s": _finite(self.staleness_bound_s),
            "processes": self.processes,
            "namespaces": [each.to_dict() for each in self.namespaces],
            "functions": [each.to_dict() for each in self.functions],
            "tiers": [tier.to_dict() for tier in self.tiers],
        }


T = TypeVar("T", bound=GroupStats)


def _less_by_name(later: tuple[T, ...], earlier: tuple[T, ...]) -> tuple[T, ...]:
    before = {each.name: each for each in earlier}
    return tuple(each - before[each.name] if each.name in before else each for each in later)


def _latency(histogram: LatencyHistogram | None) -> dict[str, Any] | None:
    return None if histogram is None else histogram.to_dict()


def _finite(seconds: float) -> float | None:
    """`seconds`, or `None` where there is no limit: JSON has no infinity."""
    return None if seconds == math.inf else seconds
