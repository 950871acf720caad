"""Promote no hit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiered_cache_policies.contracts import FoundBelow, TierFacts

__all__ = ["Never"]


class Never:
    """The promotion policy that copies no hit upwards.

    Faster tiers then hold only values that a `set` or the fill of a miss wrote. It suits a job that
    reads everything once. Stateless: threads and caches may share one.
    """

    def promote(self, found: FoundBelow, into: TierFacts) -> bool:
        """Always false."""
        return False
