"""Promote nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiered_cache_policies.contracts import FoundBelow, TierFacts

__all__ = ["Never"]


class Never:
    """The promotion policy that leaves a hit where it was found.

    Faster tiers then hold only what was written into them, by a `set` or after a miss: right for
    a job that reads everything once. It has no state, so any number of threads and caches may
    share one.
    """

    def promote(self, found: FoundBelow, into: TierFacts) -> bool:
        """Always false."""
        return False
