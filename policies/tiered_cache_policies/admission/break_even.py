"""Admit values that cost more to compute than to read back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache_policies.admission.operators import Combining
from tiered_cache_policies.option_checks import positive

if TYPE_CHECKING:
    from tiered_cache_policies.contracts import Candidate, TierFacts

__all__ = ["BreakEven"]


class BreakEven(Combining):
    """The admission policy that refuses values which cost less to compute than to read from the tier.

    It compares the measured cost with the tier's live latency: a value that takes 80 µs to compute
    does not belong in a server that takes 200 µs to answer. It admits a value without a measured
    cost, and any value for a tier without a read so far.

    Args:
        factor: The least ratio of cost to read time; 1.0 is break-even.

    Raises:
        ValueError: `factor` is not a positive, finite number.

    Stateless: threads and caches may share one.
    """

    def __init__(self, factor: float = 1.0) -> None:
        self.factor: float = positive(factor, "factor")

    def admit(self, candidate: Candidate, into: TierFacts) -> bool:
        """Whether a read would save time."""
        return candidate.cost_s == 0.0 or candidate.cost_s >= self.factor * candidate.read_s
