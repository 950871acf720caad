"""The numbers of one part of a cache: a view or a cached function."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from tiered_cache.stats.snapshot.fields import counter, durations, less, percentiles
from tiered_cache_policies.latency_histogram import LatencyHistogram

__all__ = ["OTHERS", "FunctionStats", "GroupStats", "NamespaceStats"]

OTHERS = "(others)"
"""The name of the group that counts all views or functions beyond the bound."""


@dataclass(frozen=True, slots=True)
class GroupStats:
    """Lookups and computations of one part of a cache.

    The cache's own numbers include them.

    `seconds_saved` adds for each hit the cost of the value, less the seconds of the read. For hits in
    memory it is an estimate: it uses the mean cost of the values that this process computed or read.
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
        """The difference since `earlier`."""
        return replace(self, **less(self, earlier))

    def to_dict(self) -> dict[str, Any]:
        """Plain data, derived figures included."""
        return asdict(self) | {
            "compute_latency": percentiles(self.compute_latency),
            "lookups": self.lookups,
            "hit_rate": self.hit_rate,
        }


@dataclass(frozen=True, slots=True)
class NamespaceStats(GroupStats):
    """The numbers of one view. Views beyond a thousand count together, as `OTHERS`."""


@dataclass(frozen=True, slots=True)
class FunctionStats(GroupStats):
    """The numbers of one function that `cached` wraps, by its qualified name.

    Functions beyond two hundred count together, as `OTHERS`. Only calls through the wrapper count,
    because a function is recognised by its keys.
    """
