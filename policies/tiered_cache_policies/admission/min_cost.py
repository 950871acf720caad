"""Admit what took long to compute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache_policies.admission.combining import Combining
from tiered_cache_policies.quantities import Duration, parse_duration

if TYPE_CHECKING:
    from tiered_cache_policies.contracts import Candidate, TierFacts

__all__ = ["MinCost"]


class MinCost(Combining):
    """The admission policy that admits what took at least `least` to compute.

    A value whose cost nobody measured, because it was set, is admitted.

    Args:
        least: The least cost, such as `"50ms"`.

    Raises:
        ValueError: `least` is not a duration.

    It has no state, so any number of threads and caches may share one.
    """

    def __init__(self, least: Duration) -> None:
        self.least_s = parse_duration(least, name="least")

    def admit(self, candidate: Candidate, into: TierFacts) -> bool:
        """Whether it is dear, or nobody knows."""
        return candidate.cost_s >= self.least_s or candidate.cost_s == 0.0
