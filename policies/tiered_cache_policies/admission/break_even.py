"""Admit what is dearer to compute than to read back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache_policies.admission.combining import Combining
from tiered_cache_policies.option_checks import positive

if TYPE_CHECKING:
    from tiered_cache_policies.contracts import Candidate, TierFacts

__all__ = ["BreakEven"]


class BreakEven(Combining):
    """The admission policy that keeps out of a tier what is cheaper to compute than to read there.

    It compares the measured cost with the tier's live latency: a value that takes 80 µs to compute
    does not belong into a server that takes 200 µs to answer. A value whose cost nobody measured,
    and one for a tier that was not read yet, are admitted.

    Args:
        factor: By how much computing must be dearer than reading; 1.0 is break-even.

    Raises:
        ValueError: `factor` is not a positive, finite number.

    It has no state, so any number of threads and caches may share one.
    """

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = positive(factor, "factor")

    def admit(self, candidate: Candidate, into: TierFacts) -> bool:
        """Whether reading it back would save time."""
        return candidate.cost_s == 0.0 or candidate.cost_s >= self.factor * candidate.read_s
