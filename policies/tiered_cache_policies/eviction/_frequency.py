"""W-TinyLFU's memory: how often keys were used that are gone, and how large the window should be."""

from __future__ import annotations

import copy
import math

from tiered_cache_policies.eviction._climber import Climber

__all__ = ["MOST", "Frequency"]

MOST = 15
"""What a count goes up to: beyond it, which key was used more often says little."""

_PERIOD = 10
"""After so many uses per entry, counts are halved and the window takes a step."""
_PROTECTED = 0.8
"""The share of the main part that is for entries which were used there."""
_CELLS_PER_ENTRY = 16
_FEW = 8
_HALF = bytes(count >> 1 for count in range(256))


class Frequency:
    """Counts of the uses of keys that are not held, and the limits that follow from hit ratios.

    A count-min sketch of one row: 16 to 32 cells of a byte for an entry that is held. What is
    held counts its own uses and brings them when it leaves, so most cells are nobody's, and
    a second row would halve errors that are rare already.

    Source: Einziger, Friedman and Manes, "TinyLFU: A Highly Efficient Cache Admission Policy",
    ACM Transactions on Storage 13(4), 2017.

    Attributes:
        counts: The cells. A hash of the key, `& mask`, chooses the one that counts its uses.
        mask: The last bits of a hash that do.
        room: The number of entries for which it has cells.
        due: The number of uses after which `end_period` is to be called.
        uses: The uses in this period that were seen so far.
        hits: Those of them that were hits.
        window_limit: What the window may take.
        main_limit: What the main part may take.
        climber: It holds the window's share.
        protected_limit: What the protected entries in it may take.
    """

    def __init__(self, limit: float, *, sized: bool) -> None:
        self.room = _FEW
        self.due = _PERIOD * _FEW
        self.uses = self.hits = 0
        self._limit = limit
        self._sized = sized
        self.counts = bytearray(_FEW * _CELLS_PER_ENTRY)
        self.mask = len(self.counts) - 1
        self.climber = Climber()
        self._divide()

    def _divide(self) -> None:
        share = self.climber.share
        window = share * self._limit if share else 0.0
        if not self._sized and window < math.inf:
            window = max(int(window), 1)
        self.window_limit = window
        self.main_limit = self._limit - window
        self.protected_limit = _PROTECTED * self.main_limit

    def grow(self) -> None:
        """Make room for twice as many entries."""
        # A row that is twice as long is indexed by one more bit: no count changes.
        self.counts = self.counts * 2
        self.mask = len(self.counts) - 1
        self.due = _PERIOD * self.room
        self.room *= 2

    def resize(self, limit: float) -> None:
        """Divide another whole."""
        self._limit = limit
        self._divide()

    def __copy__(self) -> Frequency:
        """One that goes its own way from here."""
        twin = Frequency.__new__(Frequency)
        twin.__dict__.update(self.__dict__)
        twin.counts = self.counts.copy()
        twin.climber = copy.copy(self.climber)
        return twin

    def end_period(self, entries: int) -> None:
        """Halve the counts, and divide anew; `entries` are held."""
        self.counts = self.counts.translate(_HALF)
        self.climber.step(self.hits / self.uses)
        self._divide()
        self.uses = self.hits = 0
        self.due = _PERIOD * (entries + 1)
