"""Admit keys that come a second time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache_policies._recent_counts import RecentCounts
from tiered_cache_policies.admission.operators import Combining

if TYPE_CHECKING:
    from tiered_cache_policies.contracts import Candidate, TierFacts

__all__ = ["SecondHit"]


class SecondHit(Combining):
    """The admission policy that admits a key the second time that it comes.

    A key that comes only once, as most keys of a scan do, never displaces an entry. The price is a
    second computation, or a second read from below, of every key that stays. A value that was set is
    admitted at once.

    Source: Maggs and Sitaraman, "Algorithmic Nuggets in Content Delivery", ACM SIGCOMM CCR 2015,
    section 3 (cache on second hit).

    Args:
        max_keys: The most keys to remember per tier, at about 100 bytes each.

    Raises:
        ValueError: `max_keys` is not at least 2.

    Thread-safe: two threads with the same key at the same instant may both be refused. One object
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
