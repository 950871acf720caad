"""The choice among several policies: the one with the fewest recent misses leads."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LRU", "S3FIFO", "TINYLFU", "Leader"]

LRU, S3FIFO, TINYLFU = range(3)

_HORIZON = 20
"""Uses per entry with a miss of any policy, after which a miss counts for a third."""
_HEAD_START = 0.1
"""The lead of S3-FIFO at the start, in misses per entry, because it is the best on average."""
_MARGIN = 0.01
_MOST_MARGIN = 1.0
"""The most misses per entry by which another policy must be better."""
_MARGIN_HORIZON = 100
_REVIEWS = 4
"""The number of reviews in the time in which misses could replace every entry."""


class Leader:
    """Compares the misses of policies and chooses the one to follow.

    The leader is the policy with the fewest misses, where old misses count less than new ones.
    Another policy must be better by a margin, because every change costs misses: each policy has
    other entries. LRU needs no margin, because no user accepts more misses than with LRU. The margin
    doubles after a wrong change, when the former leader would have missed less since than the new
    one. It halves after a right change, and decays with time.

    Attributes:
        number: The number of the leader.
    """

    def __init__(self) -> None:
        self.number = self._former = S3FIFO
        self._seen: Sequence[int] = ()
        self._at_change: Sequence[int] = ()
        self._scores: Sequence[float] = ()
        self._margin = _MARGIN

    def review(self, misses: Sequence[int], entries: int) -> bool:
        """Compare the policies; true if another one leads from now on.

        Args:
            misses: The misses of each policy since the start. Call this first when the cache is full.
            entries: The number of entries in the cache.
        """
        if not self._seen:
            self._seen = self._at_change = misses
            self._scores = [_HEAD_START * entries] * len(misses)
            self._scores[S3FIFO] = 0.0
            return False
        news = [now - then for now, then in zip(misses, self._seen, strict=True)]
        events = max(news)
        if events * _REVIEWS < entries:
            return False
        self._seen = misses
        fade = math.exp(-events / (_HORIZON * entries))
        self._scores = [score * fade + more for score, more in zip(self._scores, news, strict=True)]
        surplus = self._margin - _MARGIN
        self._margin = _MARGIN + surplus * math.exp(-events / (_MARGIN_HORIZON * entries))
        totals = [score + self._margin * entries for score in self._scores]
        for unhandicapped in (LRU, self.number):
            totals[unhandicapped] = self._scores[unhandicapped]
        best = min(totals)
        if totals[self.number] <= best:
            return False
        self._follow(totals.index(best), misses)
        return True

    def _follow(self, number: int, misses: Sequence[int]) -> None:
        since = [now - then for now, then in zip(misses, self._at_change, strict=True)]
        if since[self._former] < since[self.number]:
            self._margin = min(self._margin * 2, _MOST_MARGIN)
        else:
            self._margin = max(self._margin / 2, _MARGIN)
        self._former, self.number = self.number, number
        self._at_change = misses
