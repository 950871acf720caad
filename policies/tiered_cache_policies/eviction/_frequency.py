"""The frequency sketch of W-TinyLFU: uses of evicted keys, and the size of the window."""

from __future__ import annotations

import copy
import math

from tiered_cache_policies.eviction._climber import Climber

__all__ = ["MOST", "Frequency"]

MOST = 15
"""The largest count. Differences between larger counts say little."""

_PERIOD = 10
"""Uses per entry after which counts are halved and the window takes a step."""
_PROTECTED = 0.8
"""The share of the main part that is reserved for entries with a use there."""
_CELLS_PER_ENTRY = 16
_FEW = 8
_HALF = bytes(count >> 1 for count in range(256))


class Frequency:
    """The uses of evicted keys, and the limits of the segments, which follow the hit ratio.

    It is a count-min sketch of one row, with 16 to 32 cells of a byte per entry in the cache. An
    entry counts its own uses and adds them to the sketch when it is evicted. So most cells are
    unused, and a second row would only halve errors that are rare already.

    Source: Einziger, Friedman and Manes, "TinyLFU: A Highly Efficient Cache Admission Policy",
    ACM Transactions on Storage 13(4), 2017.

    Attributes:
        counts: The cells. A hash of the key, `& mask`, selects the cell of the key.
        mask: The bits of a hash that select a cell.
        room: The number of entries for which there are cells.
        due: The number of uses in a period; the caller then calls `end_period`.
        uses: The uses in this period so far.
        hits: The hits among them.
        window_limit: The largest size of the window.
        main_limit: The largest size of the main part.
        climber: The share of the window in the whole.
        protected_limit: The largest size of the protected entries in the main part.
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
        # A row of twice the length is indexed by one more bit, so no count changes.
        self.counts = self.counts * 2
        self.mask = len(self.counts) - 1
        self.due = _PERIOD * self.room
        self.room *= 2

    def grow_to(self, entries: int) -> None:
        """Make room for `entries`."""
        while self.room < entries:
            self.grow()

    def resize(self, limit: float) -> None:
        """Change the size of the whole, and divide it between the parts."""
        self._limit = limit
        self._divide()

    def __copy__(self) -> Frequency:
        """An independent copy."""
        twin = Frequency.__new__(Frequency)
        twin.__dict__.update(self.__dict__)
        twin.counts = self.counts.copy()
        twin.climber = copy.copy(self.climber)
        return twin

    def end_period(self, entries: int) -> None:
        """Halve the counts, and divide the whole again; `entries` is the number in the cache."""
        self.counts = self.counts.translate(_HALF)
        self.climber.step(self.hits / self.uses)
        self._divide()
        self.uses = self.hits = 0
        self.due = _PERIOD * (entries + 1)
