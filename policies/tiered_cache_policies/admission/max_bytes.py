"""Admit small records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache_policies.admission.operators import Combining
from tiered_cache_policies.quantities import Size, parse_size

if TYPE_CHECKING:
    from tiered_cache_policies.contracts import Candidate, TierFacts

__all__ = ["MaxBytes"]


class MaxBytes(Combining):
    """The admission policy that admits records of at most `most` bytes.

    It admits a value of unknown size: no tier needed a record of it.

    Args:
        most: The largest size, such as `"8MB"`.

    Raises:
        ValueError: `most` is not a size.

    Stateless: threads and caches may share one.
    """

    def __init__(self, most: Size) -> None:
        self.most_bytes: int = parse_size(most, name="most")

    def admit(self, candidate: Candidate, into: TierFacts) -> bool:
        """Whether the record is small enough."""
        return candidate.size_bytes <= self.most_bytes
