"""Promote an entry at its n-th hit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache_policies._recent_counts import RecentCounts

if TYPE_CHECKING:
    from tiered_cache_policies.contracts import FoundBelow, TierFacts

__all__ = ["OnHit"]


class OnHit:
    """The promotion policy that copies an entry upwards at its `hits`-th hit in a lower tier.

    With 2, an entry that is read once stays in its tier and displaces no other.

    Args:
        hits: The number of the hit; 1 is `Always`.
        max_keys: The most keys to remember per tier, at about 100 bytes each.

    Raises:
        ValueError: `hits` is not a whole number of at least 1, or `max_keys` of at least 2.

    Thread-safe: two hits at the same instant may count as one. One object serves any number of
    tiers; give each cache its own.
    """

    def __init__(self, hits: int = 2, *, max_keys: int = 100_000) -> None:
        if type(hits) is not int or hits < 1:
            msg = f"hits={hits!r} must be a whole number of at least 1"
            raise ValueError(msg)
        if type(max_keys) is not int or max_keys < 2:
            msg = f"max_keys={max_keys!r} must be a whole number of at least 2"
            raise ValueError(msg)
        self.hits = hits
        self._max_keys = max_keys
        self._seen: dict[int, RecentCounts] = {}

    def promote(self, found: FoundBelow, into: TierFacts) -> bool:
        """Whether the entry had enough hits; if so, its count restarts at zero."""
        seen = self._seen.get(into.level)
        if seen is None:
            seen = self._seen.setdefault(into.level, RecentCounts(self._max_keys))
        if seen.see(found.key) < self.hits:
            return False
        seen.forget(found.key)
        return True
