"""The snapshot of a cache, and the counting rules.

**Counting rules.** One lookup of one key asks the tiers from the fastest down. In each tier that it
reaches, it adds one to exactly one of five counters:

- `hits`: the tier held a fresh record that could be read. The lookup ends there.
- `stale_hits`: the tier held a record that is stale, but not yet gone.
- `misses`: the tier answered and held nothing usable: no record, an expired one, or bytes that are
  no valid record. The last also count in `corrupt`.
- `errors`: the tier was asked and failed, or did not answer before its deadline.
- `skips`: the tier was not asked, because its breaker is open, the key is outdated in it, or it is
  not open yet.

Their sum, `lookups`, is the number of lookups that reached the tier. For the whole cache, `hits` are
the lookups that any tier answered, and `misses` those that no tier answered. `exists`, `explain`,
`keys` and the reads inside a write count nothing.

A snapshot has counters and gauges; `tiered_cache.stats.snapshot.fields` defines their arithmetic.
Counters only grow, so the difference of two snapshots describes the time between them.

`seconds_saved` adds for each hit the cost of the value, less the seconds of the lookup. It is an
estimate, because a memory tier sums its hits per entry without a lock. `seconds_spent` is the time of
all computations, reads and writes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self, TypeVar

from tiered_cache.stats.snapshot.breaker_change import BreakerChange
from tiered_cache.stats.snapshot.fields import counter, durations, gauge, less, percentiles
from tiered_cache.stats.snapshot.gauges import all_true, largest, total
from tiered_cache.stats.snapshot.group_stats import FunctionStats, GroupStats, NamespaceStats
from tiered_cache.stats.snapshot.tier_stats import TierStats
from tiered_cache.stats.snapshot.tier_table import html_table, text_table
from tiered_cache.units import seconds_text
from tiered_cache_policies.latency_histogram import LatencyHistogram

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
    """The numbers of a cache at one instant; the module documents the counting rules.

    `str()` gives a table with one line a tier, and notebooks show it as HTML.

    Attributes:
        hits: Lookups that some tier answered with a fresh value.
        stale_hits: Lookups answered with a stale value.
        misses: Lookups that no tier answered.
        coalesced: Misses that took the result of a computation already under way.
        computes: Computations that finished.
        compute_errors: Computations that raised.
        compute_seconds: Seconds spent computing.
        tiers: Each tier, fastest first.
        counted: Whether anything was counted. If not, zeros carry no meaning.
        namespaces: Each view with lookups, by name; `"a/b"` is a view of a view.
        functions: Each function that `cached` wraps and that was called.
        waits: Waits of a caller for the computation of another caller.
        recomputes: Computations of keys that the same process had computed before, estimated from a
            sample of the keys.
        compute_latency: Histogram of the times of computations.
        serialize_latency: Histogram of the times of encoding, if the statistics policy keeps it.
        queue_depth: Keys and clears in the write-back queue.
        queue_age_s: Seconds that the oldest of them has waited.
        queue_parked: Queued writes that are parked in the journal.
        journal_bytes: The size of the journal on disk.
        bus_lag_s: Seconds since a change log was last read to its end, of the tier that is furthest
            behind (`TierStats.lag`); `None` if no tier has a lag.
        staleness_bound_s: Seconds for which a value that was changed elsewhere may be served; `inf`
            without a bound.
        processes: The number of processes that the snapshot covers.
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
        """Entries in the tier that holds the most."""
        return max((tier.entries or 0 for tier in self.tiers), default=0)

    @property
    def evictions(self) -> int:
        """Entries that tiers evicted to stay within their bounds."""
        return sum(tier.evictions for tier in self.tiers)

    @property
    def seconds_saved(self) -> float:
        """The costs of all hits, less the time that the hits took."""
        return sum(tier.seconds_saved for tier in self.tiers)

    @property
    def seconds_spent(self) -> float:
        """Seconds of all computations, and of all reads and writes of tiers."""
        return self.compute_seconds + sum(
            tier.read_seconds + tier.write_seconds for tier in self.tiers
        )

    @property
    def cost_per_hit_s(self) -> float:
        """Seconds of all reads per hit; 0.0 without hits."""
        reading_s = sum(tier.read_seconds for tier in self.tiers)
        return reading_s / self.hits if self.hits else 0.0

    def tier(self, name: str) -> TierStats:
        """The tier called `name`.

        Raises:
            KeyError: No tier has the name.
        """
        for each in self.tiers:
            if each.name == name:
                return each
        raise KeyError(name)

    def namespace(self, name: str) -> NamespaceStats:
        """The view called `name`; all zero if it had no lookup."""
        for each in self.namespaces:
            if each.name == name:
                return each
        return NamespaceStats(name)

    def function(self, name: str) -> FunctionStats:
        """The function called `name`; all zero if it was not called."""
        for each in self.functions:
            if each.name == name:
                return each
        return FunctionStats(name)

    def snapshot(self) -> Self:
        """The snapshot itself: it never changes."""
        return self

    def __sub__(self, earlier: CacheStats) -> CacheStats:
        """The difference since `earlier`, a snapshot of the same cache."""
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

    def __str__(self) -> str:
        """A table with one line a tier, then a line of totals and one of computations."""
        if not self.counted:
            return "Nothing is counted: the statistics policy is Off."
        hits = (f"{self.lookups:,}", f"{self.hits:,}", f"{self.hit_rate:.1%}")
        totals = ("all", *hits, "", "", "", seconds_text(self.seconds_saved))
        return f"{text_table(self.tiers, totals)}\n{self._balance()}"

    def _repr_html_(self) -> str:
        if not self.counted:
            return "<p>Nothing is counted: the statistics policy is <code>Off</code>.</p>"
        caption = f"{self.lookups:,} lookups, {self.hit_rate:.1%} hits, {self._balance()}"
        return html_table(self.tiers, caption)

    def _balance(self) -> str:
        saved, spent = seconds_text(self.seconds_saved), seconds_text(self.seconds_spent)
        return f"{self.computes:,} computations; {saved} saved, {spent} spent"

    def plot(self, path: str | os.PathLike[str] | None = None) -> Any:
        """Draw the tiers, and save the figure as `path` if given.

        The figure shows the outcomes of lookups, the times of reads, and the curves of tiers that
        have one.

        Args:
            path: A file with the suffix `.png` or `.svg`.

        Returns:
            The `matplotlib` figure, which a notebook shows.

        Raises:
            MissingExtraError: `matplotlib` is not installed.
            ConfigurationError: `path` has another suffix.
        """
        from tiered_cache.stats.snapshot.plot import plot

        return plot(self.tiers, path)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, derived figures included."""
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
            "compute_latency": percentiles(self.compute_latency),
            "serialize_latency": percentiles(self.serialize_latency),
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


def _finite(seconds: float) -> float | None:
    """`seconds`, or `None` for infinity, which JSON lacks."""
    return None if seconds == math.inf else seconds
