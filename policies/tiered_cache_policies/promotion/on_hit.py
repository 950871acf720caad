"""Promote what is hit again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache_policies._recent import RecentCounts

if TYPE_CHECKING:
    from tiered_cache_policies.contracts import FoundBelow, TierFacts

__all__ = ["OnHit"]


class OnHit:
    """The promotion policy that copies a value upwards at its `hits`-th hit below.

    With 2, what is read once stays where it is and displaces nothing above.

    Args:
        hits: At which hit; 1 is `Always`.
        max_keys: How many keys, per tier, are remembered at most: some 100 bytes each.

    Raises:
        ValueError: An option is not a whole number that is large enough.

    Thread-safe: of hits at the same instant one may not be counted. One object serves any number
    of tiers; give each cache its own.
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
        """Whether it was hit often enough; then its count begins anew."""
        seen = self._seen.get(into.level)
        if seen is None:
            seen = self._seen.setdefault(into.level, RecentCounts(self._max_keys))
        if seen.see(found.key) < self.hits:
            return False
        seen.forget(found.key)
        return True
