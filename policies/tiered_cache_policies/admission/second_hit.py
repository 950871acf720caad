"""Admit what is asked for again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache_policies._recent import RecentCounts
from tiered_cache_policies.admission.combining import Combining

if TYPE_CHECKING:
    from tiered_cache_policies.contracts import Candidate, TierFacts

__all__ = ["SecondHit"]


class SecondHit(Combining):
    """The admission policy that admits a key the second time that it comes.

    What is asked for once only, as most of a scan is, never displaces anything. The price is one
    more computation or read from below of all that stays. A value that was set is admitted at
    once.

    Source: Maggs and Sitaraman, "Algorithmic Nuggets in Content Delivery", ACM SIGCOMM CCR 2015,
    section 3 (cache on second hit).

    Args:
        max_keys: How many keys, per tier, are remembered at most: some 100 bytes each.

    Raises:
        ValueError: `max_keys` is not at least 2.

    Thread-safe: two threads that bring a key at the same instant may both be refused. One object
    serves any number of tiers; give each cache its own.
    """

    def __init__(self, max_keys: int = 100_000) -> None:
        if type(max_keys) is not int or max_keys < 2:
            msg = f"max_keys={max_keys!r} must be a whole number of at least 2"
            raise ValueError(msg)
        self._max_keys = max_keys
        self._seen: dict[int, RecentCounts] = {}

    def admit(self, candidate: Candidate, into: TierFacts) -> bool:
        """Whether the key came before, or was set."""
        if not candidate.computed:
            return True
        seen = self._seen.get(into.level)
        if seen is None:
            seen = self._seen.setdefault(into.level, RecentCounts(self._max_keys))
        return seen.see(candidate.key) >= 2
