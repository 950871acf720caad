"""The expiries of the memory tier's entries, in order."""

from __future__ import annotations

import math
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ExpiryHeap"]


class ExpiryHeap:
    """A heap of expiries. It also holds those of removed and replaced entries, until `compact`.

    Attributes:
        first_s: The earliest expiry, in seconds of the monotonic clock; `inf` if the heap is empty.

    Not thread-safe.
    """

    def __init__(self) -> None:
        self.first_s = math.inf
        self._heap: list[tuple[float, int, str]] = []

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, at_s: float, serial: int, key: str) -> int:
        """Add the expiry of the write `serial` of `key`; the number of expiries."""
        heappush(self._heap, (at_s, serial, key))
        self.first_s = self._heap[0][0]
        return len(self._heap)

    def pop(self) -> tuple[int, str]:
        """Remove the earliest expiry: its serial and key. The heap must not be empty."""
        _, serial, key = heappop(self._heap)
        self.first_s = self._heap[0][0] if self._heap else math.inf
        return serial, key

    def compact(self, is_current: Callable[[int, str], bool]) -> None:
        """Remove the expiries of writes that `is_current` rejects."""
        self._heap = [each for each in self._heap if is_current(each[1], each[2])]
        heapify(self._heap)
        self.first_s = self._heap[0][0] if self._heap else math.inf

    def clear(self) -> None:
        """Remove all expiries."""
        self._heap.clear()
        self.first_s = math.inf
