"""Admit what is small."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache_policies.admission.combining import Combining
from tiered_cache_policies.quantities import Size, parse_size

if TYPE_CHECKING:
    from tiered_cache_policies.contracts import Candidate, TierFacts

__all__ = ["MaxBytes"]


class MaxBytes(Combining):
    """The admission policy that admits records of at most `most` bytes.

    A value whose size is not known, because no tier needs its record, is admitted.

    Args:
        most: The largest size, such as `"8MB"`.

    Raises:
        ValueError: `most` is not a size.

    It has no state, so any number of threads and caches may share one.
    """

    def __init__(self, most: Size) -> None:
        self.most_bytes = parse_size(most, name="most")

    def admit(self, candidate: Candidate, into: TierFacts) -> bool:
        """Whether it is small enough."""
        return candidate.size_bytes <= self.most_bytes
