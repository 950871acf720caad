"""How the lookups of a part of a cache ended: of a namespace view, or of a cached function."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from tiered_cache.stats.snapshot.fields import counter, durations, less
from tiered_cache_policies.statistics.histogram import LatencyHistogram

__all__ = ["OTHERS", "FunctionStats", "GroupStats", "NamespaceStats"]

OTHERS = "(others)"
"""The name under which those are counted together that are beyond the bound."""


@dataclass(frozen=True, slots=True)
class GroupStats:
    """How the lookups of a part of a cache ended, and what computing its values took.

    They are in the cache's own numbers as well.

    `seconds_saved` adds, for each hit, the seconds that computing the value once took, less the
    seconds that reading it took. For the hits in memory it takes the mean of the values that this
    process computed or read: an estimate.
    """

    name: str
    hits: int = counter()
    stale_hits: int = counter()
    misses: int = counter()
    computes: int = counter()
    compute_errors: int = counter()
    compute_seconds: float = counter(0.0)
    seconds_saved: float = counter(0.0)
    compute_latency: LatencyHistogram | None = durations()

    @property
    def lookups(self) -> int:
        """All lookups of single keys."""
        return self.hits + self.stale_hits + self.misses

    @property
    def hit_rate(self) -> float:
        """Hits per lookup; 0.0 without lookups."""
        return self.hits / self.lookups if self.lookups else 0.0

    def __sub__(self, earlier: GroupStats) -> Self:
        """What happened since `earlier`."""
        return replace(self, **less(self, earlier))

    def to_dict(self) -> dict[str, Any]:
        """Plain data, with the derived figures."""
        latency = self.compute_latency
        return asdict(self) | {
            "compute_latency": None if latency is None else latency.to_dict(),
            "lookups": self.lookups,
            "hit_rate": self.hit_rate,
        }


@dataclass(frozen=True, slots=True)
class NamespaceStats(GroupStats):
    """What one namespace view did. Views beyond a thousand are counted together, as `OTHERS`."""


@dataclass(frozen=True, slots=True)
class FunctionStats(GroupStats):
    """What one function did that `cached` wraps, by its qualified name.

    Functions beyond two hundred are counted together, as `OTHERS`. The function is known by its
    keys, so that only what goes through the wrapper is counted.
    """
