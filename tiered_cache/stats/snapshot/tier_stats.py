"""What one tier did, and how it stands."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple, Self

from tiered_cache.contracts.change_log import Lag
from tiered_cache.stats.snapshot.fields import counter, durations, gauge, less
from tiered_cache.stats.snapshot.gauges import all_true, any_of, furthest, latest, total, worst
from tiered_cache_policies.statistics.histogram import LatencyHistogram

__all__ = ["CURVE_SIZES", "BreakerChange", "TierStats"]

CURVE_SIZES = tuple(2.0 ** (step / 2) for step in range(-8, 9))
"""The sizes at which `TierStats.curve` says how many hits there would be, in present sizes: from a
sixteenth to sixteen times."""


class BreakerChange(NamedTuple):
    """When a breaker changed, by the wall clock, and into what state."""

    at_s: float
    state: str


@dataclass(frozen=True, slots=True)
class TierStats:
    """What one tier did; the rules of counting are those of `tiered_cache.stats.snapshot.cache_stats`.

    Times are in seconds, sizes in bytes. `read_latency` and `write_latency` are the distributions of
    the calls' times, `None` unless the statistics policy keeps them. Where `counted` is false
    nothing was counted, and zeros say nothing. `entries`, `bytes`, `max_entries` and `max_bytes` are
    `None` where the tier does not know them. `reach` is who shares the tier: `"process"`, `"host"`
    or `"cluster"`. `breaker_changes` are the latest twenty. `lag` says how far the cache is with the log of
    what others changed in the tier; `None` where it keeps no copies in tiers above.

    `curve` says, for each of `CURVE_SIZES`, how many of the lookups would have been hits were the
    tier so many times as large and did it evict what was used least recently; empty where that is
    not known. `curve_lookups` is of how many lookups.
    """

    name: str
    hits: int = counter()
    stale_hits: int = counter()
    misses: int = counter()
    errors: int = counter()
    skips: int = counter()
    corrupt: int = counter()
    promotions: int = counter()
    writes: int = counter()
    write_refusals: int = counter()
    not_admitted: int = counter()
    write_errors: int = counter()
    deletes: int = counter()
    evictions: int = counter()
    expirations: int = counter()
    read_bytes: int = counter()
    written_bytes: int = counter()
    timed_reads: int = counter()
    read_seconds: float = counter(0.0)
    write_seconds: float = counter(0.0)
    seconds_saved: float = counter(0.0)
    entries: int | None = gauge(total, None)
    bytes: int | None = gauge(total, None)
    max_entries: int | None = gauge(total, None)
    max_bytes: int | None = gauge(total, None)
    breaker: str = gauge(worst, "closed")
    detail: str = gauge(any_of, "")
    counted: bool = gauge(all_true, True)
    read_latency: LatencyHistogram | None = durations()
    write_latency: LatencyHistogram | None = durations()
    reach: str = gauge(any_of, "")
    breaker_changes: tuple[BreakerChange, ...] = gauge(latest, ())
    lag: Lag | None = gauge(furthest, None)
    curve: tuple[float, ...] = ()
    curve_lookups: int = counter()

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

    @property
    def cost_per_hit_s(self) -> float:
        """Seconds spent reading the tier per hit, its misses and errors included; 0.0 without hits."""
        return self.read_seconds / self.hits if self.hits else 0.0

    @property
    def evictions_by_reason(self) -> dict[str, int]:
        """Entries that left without being asked to, by `contracts.EvictionReason`."""
        return {"size": self.evictions, "expired": self.expirations}

    def hit_rate_at(self, times: float) -> float | None:
        """The hit rate, were the tier `times` as large; `None` where it is not known.

        What the model says of that size is corrected by how far it is off at the present size.

        Args:
            times: From 1/16 to 16; what is beyond counts as these.
        """
        if not self.curve or not self.curve_lookups:
            return None
        shares = [hits / self.curve_lookups for hits in self.curve]
        change = _between(shares, times) - _between(shares, 1.0)
        return min(1.0, max(0.0, self.hit_rate + change))

    def standing(self, **levels: Any) -> Self:
        """A copy that says how things stand now: entries, bytes, bounds, breaker and detail."""
        return replace(self, **levels)

    def __sub__(self, earlier: TierStats) -> Self:
        """What happened since `earlier`; how things stand now is kept."""
        curve = self.curve
        if len(curve) == len(earlier.curve):
            curve = tuple(b - a for a, b in zip(earlier.curve, curve, strict=True))
        return replace(self, **less(self, earlier), curve=curve)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, with the derived figures."""
        latencies = {
            name: None if (each := getattr(self, name)) is None else each.to_dict()
            for name in ("read_latency", "write_latency")
        }
        return (
            asdict(self)
            | latencies
            | {
                "breaker_changes": [each._asdict() for each in self.breaker_changes],
                "lookups": self.lookups,
                "hit_rate": self.hit_rate,
                "mean_read_s": self.mean_read_s,
                "cost_per_hit_s": self.cost_per_hit_s,
                "evictions_by_reason": self.evictions_by_reason,
            }
        )


def _between(shares: list[float], times: float) -> float:
    """What `shares`, of `CURVE_SIZES`, says of another size."""
    if times <= CURVE_SIZES[0]:
        return shares[0]
    for at in range(1, len(shares)):
        low, high = CURVE_SIZES[at - 1], CURVE_SIZES[at]
        if times <= high:
            part = (times - low) / (high - low)
            below = shares[at - 1]
            return float(below + part * (shares[at] - below))
    return shares[-1]
