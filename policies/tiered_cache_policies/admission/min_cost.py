"""Admit values that took long to compute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache_policies.admission.operators import Combining
from tiered_cache_policies.quantities import Duration, parse_duration

if TYPE_CHECKING:
    from tiered_cache_policies.contracts import Candidate, TierFacts

__all__ = ["MinCost"]


class MinCost(Combining):
    """The admission policy that admits values which took at least `least` to compute.

    It admits a value without a measured cost, such as one that was set.

    Args:
        least: The least cost, such as `"50ms"`.

    Raises:
        ValueError: `least` is not a duration.

    Stateless: threads and caches may share one.
    """

    def __init__(self, least: Duration) -> None:
        self.least_s: float = parse_duration(least, name="least")

    def admit(self, candidate: Candidate, into: TierFacts) -> bool:
        """Whether its cost is high or unknown."""
        return candidate.cost_s >= self.least_s or candidate.cost_s == 0.0
