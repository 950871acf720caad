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

`seconds_saved` adds, for each hit, the seconds that computing the value once took, less the
seconds that the lookup took. It is an estimate: a memory tier adds up its hits per entry, without
a lock.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from tiered_cache_policies.statistics.histogram import LatencyHistogram

__all__ = ["CacheStats", "NamespaceStats", "TierStats"]

_LATENCIES = frozenset({"read_latency", "write_latency"})
_LEVELS = frozenset(
    {"name", "entries", "bytes", "max_entries", "max_bytes", "breaker", "detail", "counted"}
)
"""Fields that say how things are now, which a difference keeps instead of subtracting."""


@dataclass(frozen=True, slots=True)
class TierStats:
    """What one tier did; see the module for the counting rules.

    Times are in seconds, sizes in bytes. `read_latency` and `write_latency` are the distributions of
    the calls' times, `None` unless the statistics policy keeps them. Where `counted` is false
    nothing was counted, and zeros say nothing. `entries`, `bytes`, `max_entries` and `max_bytes` are
    `None` where the tier does not know them.
    """

    name: str
    hits: int = 0
    stale_hits: int = 0
    misses: int = 0
    errors: int = 0
    skips: int = 0
    corrupt: int = 0
    promotions: int = 0
    writes: int = 0
    write_refusals: int = 0
    not_admitted: int = 0
    write_errors: int = 0
    deletes: int = 0
    evictions: int = 0
    expirations: int = 0
    read_bytes: int = 0
    written_bytes: int = 0
    timed_reads: int = 0
    read_seconds: float = 0.0
    write_seconds: float = 0.0
    seconds_saved: float = 0.0
    entries: int | None = None
    bytes: int | None = None
    max_entries: int | None = None
    max_bytes: int | None = None
    breaker: str = "closed"
    detail: str = ""
    counted: bool = True
    read_latency: LatencyHistogram | None = None
    write_latency: LatencyHistogram | None = None

    @property
    def lookups(self) -> int:
        """How often a lookup reached this tier."""
        return self.hits + self.stale_hits + self.misses + self.errors + self.skips

    @property
    def hit_rate(self) -> float:
        """Hits per lookup that reached this tier; 0.0 without lookups."""
        return self.hits / self.lookups if self.lookups else 0.0

    @property
    def mean_read_s(self) -> float:
        """Mean seconds of a call that read the tier; 0.0 without one.

        An inlined hit in a memory tier is not timed by itself: its time is measured when the
        statistics are taken. A miss that is known without a call has none.
        """
        return self.read_seconds / self.timed_reads if self.timed_reads else 0.0

    def standing(self, **levels: Any) -> Self:
        """A copy that says how things stand now: entries, bytes, bounds, breaker and detail."""
        return replace(self, **levels)

    def __sub__(self, earlier: TierStats) -> Self:
        """What happened since `earlier`; how things stand now is kept."""
        counted: dict[str, Any] = {
            field.name: getattr(self, field.name) - getattr(earlier, field.name)
            for field in fields(self)
            if field.name not in _LEVELS | _LATENCIES
        }
        for name in _LATENCIES:
            mine, before = getattr(self, name), getattr(earlier, name)
            counted[name] = mine if before is None else mine - before
        return replace(self, **counted)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, with the derived figures."""
        latencies = {
            name: None if (each := getattr(self, name)) is None else each.to_dict()
            for name in sorted(_LATENCIES)
        }
        return (
            asdict(self)
            | latencies
            | {
                "lookups": self.lookups,
                "hit_rate": self.hit_rate,
                "mean_read_s": self.mean_read_s,
            }
        )


@dataclass(frozen=True, slots=True)
class NamespaceStats:
    """How the lookups through one namespace view ended.

    They are in the cache's own numbers as well. Views beyond a thousand are counted together, as
    `"(others)"`.
    """

    name: str
    hits: int = 0
    stale_hits: int = 0
    misses: int = 0

    @property
    def lookups(self) -> int:
        """All lookups of single keys through the view."""
        return self.hits + self.stale_hits + self.misses

    @property
    def hit_rate(self) -> float:
        """Hits per lookup; 0.0 without lookups."""
        return self.hits / self.lookups if self.lookups else 0.0

    def __sub__(self, earlier: NamespaceStats) -> NamespaceStats:
        """What happened since `earlier`."""
        return NamespaceStats(
            self.name,
            self.hits - earlier.hits,
            self.stale_hits - earlier.stale_hits,
            self.misses - earlier.misses,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data, with the derived figures."""
        return asdict(self) | {"lookups": self.lookups, "hit_rate": self.hit_rate}


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
    """

    hits: int = 0
    stale_hits: int = 0
    misses: int = 0
    coalesced: int = 0
    computes: int = 0
    compute_errors: int = 0
    compute_seconds: float = 0.0
    tiers: tuple[TierStats, ...] = ()
    counted: bool = True
    namespaces: tuple[NamespaceStats, ...] = ()

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

    def snapshot(self) -> Self:
        """Itself: statistics never change once they are taken."""
        return self

    def __sub__(self, earlier: CacheStats) -> CacheStats:
        """What happened since `earlier`, a snapshot of the same cache."""
        before = {tier.name: tier for tier in earlier.tiers}
        return CacheStats(
            hits=self.hits - earlier.hits,
            stale_hits=self.stale_hits - earlier.stale_hits,
            misses=self.misses - earlier.misses,
            coalesced=self.coalesced - earlier.coalesced,
            computes=self.computes - earlier.computes,
            compute_errors=self.compute_errors - earlier.compute_errors,
            compute_seconds=self.compute_seconds - earlier.compute_seconds,
            tiers=tuple(
                tier - before[tier.name] if tier.name in before else tier for tier in self.tiers
            ),
            counted=self.counted,
            namespaces=tuple(each - earlier.namespace(each.name) for each in self.namespaces),
        )

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
            "namespaces": [each.to_dict() for each in self.namespaces],
            "tiers": [tier.to_dict() for tier in self.tiers],
        }
