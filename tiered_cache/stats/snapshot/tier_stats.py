"""The numbers of one tier."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from tiered_cache.contracts.change_log import Lag
from tiered_cache.stats.snapshot.breaker_change import BreakerChange
from tiered_cache.stats.snapshot.fields import counter, durations, gauge, less, percentiles
from tiered_cache.stats.snapshot.gauges import all_true, any_of, furthest, latest, total, worst
from tiered_cache_policies.latency_histogram import LatencyHistogram

__all__ = ["CURVE_SIZES", "TierStats"]

CURVE_SIZES = tuple(2.0 ** (step / 2) for step in range(-8, 9))
"""The sizes of `TierStats.curve`, in multiples of the present size: from 1/16 to 16."""


@dataclass(frozen=True, slots=True)
class TierStats:
    """The numbers of one tier; the counting rules are in `tiered_cache.stats.snapshot.cache_stats`.

    Times are in seconds, sizes in bytes. `read_latency` and `write_latency` are histograms of the
    calls' times; they are `None` unless the statistics policy keeps them. If `counted` is false,
    nothing was counted and zeros carry no meaning. `entries`, `bytes`, `max_entries` and `max_bytes`
    are `None` if the tier does not know them. `reach` names the processes that share the tier:
    `"process"`, `"host"` or `"cluster"`. `breaker_changes` holds the latest twenty. `lag` is the
    position of the cache in the tier's change log; it is `None` if no faster tier keeps copies.

    `curve` estimates the hits at each of `CURVE_SIZES`, for a tier that evicts the least recently
    used entry; it is empty if there is no estimate. `curve_lookups` is the number of lookups that the
    estimate covers.
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
        """Lookups that reached this tier."""
        return self.hits + self.stale_hits + self.misses + self.errors + self.skips

    @property
    def hit_rate(self) -> float:
        """Hits per lookup that reached this tier; 0.0 without lookups."""
        return self.hits / self.lookups if self.lookups else 0.0

    @property
    def mean_read_s(self) -> float:
        """Mean seconds of a call that read the tier; 0.0 without calls.

        Inlined hits in a memory tier are not timed one by one: the time of one is measured when the
        snapshot is taken. A miss that is known without a call has no time.
        """
        return self.read_seconds / self.timed_reads if self.timed_reads else 0.0

    @property
    def cost_per_hit_s(self) -> float:
        """Seconds of all reads, misses and errors included, per hit; 0.0 without hits."""
        return self.read_seconds / self.hits if self.hits else 0.0

    @property
    def evictions_by_reason(self) -> dict[str, int]:
        """Entries that the tier removed by itself, by `contracts.EvictionReason`."""
        return {"size": self.evictions, "expired": self.expirations}

    def hit_rate_at(self, times: float) -> float | None:
        """The estimated hit rate of a tier `times` as large; `None` without an estimate.

        The model's error at the present size corrects its value at the other size.

        Args:
            times: From 1/16 to 16; values beyond are clamped.
        """
        if not self.curve or not self.curve_lookups:
            return None
        shares = [hits / self.curve_lookups for hits in self.curve]
        change = _between(shares, times) - _between(shares, 1.0)
        return min(1.0, max(0.0, self.hit_rate + change))

    def standing(self, **levels: Any) -> Self:
        """A copy with the present gauges: entries, bytes, bounds, breaker and detail."""
        return replace(self, **levels)

    def __sub__(self, earlier: TierStats) -> Self:
        """The difference since `earlier`; gauges keep their present values."""
        curve = self.curve
        if len(curve) == len(earlier.curve):
            curve = tuple(b - a for a, b in zip(earlier.curve, curve, strict=True))
        return replace(self, **less(self, earlier), curve=curve)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, derived figures included."""
        return asdict(self) | {
            "read_latency": percentiles(self.read_latency),
            "write_latency": percentiles(self.write_latency),
            "breaker_changes": [each._asdict() for each in self.breaker_changes],
            "lookups": self.lookups,
            "hit_rate": self.hit_rate,
            "mean_read_s": self.mean_read_s,
            "cost_per_hit_s": self.cost_per_hit_s,
            "evictions_by_reason": self.evictions_by_reason,
        }


def _between(shares: list[float], times: float) -> float:
    """The share at a size between two of `CURVE_SIZES`, interpolated linearly."""
    if times <= CURVE_SIZES[0]:
        return shares[0]
    for at in range(1, len(shares)):
        low, high = CURVE_SIZES[at - 1], CURVE_SIZES[at]
        if times <= high:
            part = (times - low) / (high - low)
            below = shares[at - 1]
            return float(below + part * (shares[at] - below))
    return shares[-1]
