"""Promote every hit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiered_cache_policies.contracts import FoundBelow, TierFacts

__all__ = ["Always"]


class Always:
    """The promotion policy that copies every hit into every faster tier.

    The fastest tier then answers the next lookup of the key. Stateless: threads and caches may
    share one.
    """

    def promote(self, found: FoundBelow, into: TierFacts) -> bool:
        """Always true."""
        return True
