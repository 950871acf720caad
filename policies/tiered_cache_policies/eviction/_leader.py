"""Which of several policies to follow: the one that would have missed least lately."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LRU", "S3FIFO", "TINYLFU", "Leader"]

LRU, S3FIFO, TINYLFU = range(3)

_HORIZON = 20
"""Misses count for a third of it after so many uses per entry in which somebody missed."""
_HEAD_START = 0.1
"""What S3-FIFO, the best on average, is ahead at the start, in misses per entry."""
_MARGIN = 0.01
_MOST_MARGIN = 1.0
"""Misses per entry by which another one has to be better."""
_MARGIN_HORIZON = 100
_REVIEWS = 4
"""In so many steps everything could have been replaced."""


class Leader:
    """Compares misses, and says whom to follow.

    The leader is the policy with the fewest misses, where older ones count less and less. Another
    one must be ahead of it by a margin, because each has other entries, so every change costs.
    Only for LRU there is none: falling behind LRU is what nobody would forgive. The margin
    doubles with a change that turns out to have been a mistake, when the former leader would have
    missed less than the present one since; it is halved by one that was right, and by time.

    Attributes:
        number: The leader's.
    """

    def __init__(self) -> None:
        self.number = self._former = S3FIFO
        self._seen: Sequence[int] = ()
        self._at_change: Sequence[int] = ()
        self._scores: Sequence[float] = ()
        self._margin = _MARGIN

    def review(self, misses: Sequence[int], entries: int) -> bool:
        """Whether another one leads from now on.

        Args:
            misses: Of each policy, ever. The first call is for when it begins to matter.
            entries: The number of entries that are held.
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
