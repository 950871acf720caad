"""Which of several policies to follow: the one that would have missed least lately."""

from __future__ import annotations

import copy
import math

__all__ = ["LRU", "REAL", "S3FIFO", "TINYLFU", "Leader"]

LRU, S3FIFO, TINYLFU, REAL = range(4)

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
    """Counts misses, and says whom to follow.

    The leader is the policy with the fewest misses, where older ones count less and less. Another
    one must be ahead of it by a margin, because each has other entries, so every change costs.
    Only for LRU there is none: falling behind LRU is what nobody would forgive. The margin
    doubles with a change that turns out to have been a mistake, when the former leader would have
    missed less than was missed since; it is halved by one that was right, and by time.

    Attributes:
        number: The leader's.
        misses: Of each policy, and as the last one those that really were.
        events: The uses since the last review in which somebody missed.
        due: The number of them at which `review` is to be called.
    """

    def __init__(self) -> None:
        self.number = self._former = S3FIFO
        self.misses = [0, 0, 0, 0]
        self.events = 0
        self.due = math.inf
        self._seen = [0, 0, 0, 0]
        self._at_change = [0, 0, 0, 0]
        self._scores = [0.0, 0.0, 0.0]
        self._margin = _MARGIN

    def copy(self) -> Leader:
        """One that goes its own way from here."""
        return copy.deepcopy(self)

    def start(self, entries: int) -> None:
        """Begin to compare: now, for the first time, something has to go."""
        self._scores = [_HEAD_START * entries] * 3
        self._scores[S3FIFO] = 0.0
        self._end_review(entries)

    def review(self, entries: int) -> bool:
        """Whether another one leads from now on."""
        fade = math.exp(-self.events / (_HORIZON * entries))
        for number, score in enumerate(self._scores):
            self._scores[number] = score * fade + self.misses[number] - self._seen[number]
        surplus = self._margin - _MARGIN
        self._margin = _MARGIN + surplus * math.exp(-self.events / (_MARGIN_HORIZON * entries))
        self._end_review(entries)
        totals = [score + self._margin * entries for score in self._scores]
        for unhandicapped in (LRU, self.number):
            totals[unhandicapped] = self._scores[unhandicapped]
        best = min(totals)
        if totals[self.number] <= best:
            return False
        self._follow(totals.index(best))
        return True

    def _end_review(self, entries: int) -> None:
        self._seen = self.misses.copy()
        self.events = 0
        self.due = max(entries // _REVIEWS, 1)

    def _follow(self, number: int) -> None:
        since = [now - then for now, then in zip(self.misses, self._at_change, strict=True)]
        if since[self._former] < since[REAL]:
            self._margin = min(self._margin * 2, _MOST_MARGIN)
        else:
            self._margin = max(self._margin / 2, _MARGIN)
        self._former, self.number = self.number, number
        self._at_change = self.misses.copy()
