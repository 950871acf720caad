"""Ghosts: the keys of evicted entries, remembered for a while, first in, first out."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

__all__ = ["Ghosts"]

K = TypeVar("K")

_SPARE = 64


class Ghosts(Generic[K]):
    """A FIFO of keys with a lazy limit: its length matters only when a key comes back.

    To remember a new `key`, add it to `keys`, append it to `order`, and call `trim` if `order` is
    longer than `enough`. Callers inline this, because most misses pay for it. (An `OrderedDict`
    that is trimmed each time costs twice as much.)

    Attributes:
        keys: The keys, including some that `trim` would forget.
        order: The keys, oldest first, with void places of recalled keys in between.
        enough: The length of `order` up to which no `trim` is needed.

    Cost: O(1), amortised. Not safe for several threads.
    """

    __slots__ = ("_recalled", "enough", "keys", "order")

    def __init__(self) -> None:
        self.keys: dict[K, None] = {}
        self.order: deque[K] = deque()
        self.enough = _SPARE
        self._recalled: dict[K, int] = {}
        """The number of void places in `order`, by key."""

    def recall(self, key: K, length: int) -> bool:
        """Whether `key`, one of `keys`, is among the last `length`. If so, it is forgotten."""
        if len(self.keys) > length:
            self.trim(length)
            if key not in self.keys:
                return False
        del self.keys[key]
        self._recalled[key] = self._recalled.get(key, 0) + 1
        return True

    def trim(self, length: int) -> None:
        """Forget all but the last `length`."""
        keys, order, recalled = self.keys, self.order, self._recalled
        popleft = order.popleft
        for _ in range(len(keys) - length):
            while (oldest := popleft()) in recalled:
                self._skip(oldest)
            del keys[oldest]
        if len(order) > 2 * len(keys) + _SPARE:
            self._drop_void_places()
        self.enough = len(self.order) + len(self.order) // 8 + _SPARE

    def _skip(self, key: K) -> None:
        """Count one void place of `key` less."""
        times = self._recalled.pop(key)
        if times > 1:
            self._recalled[key] = times - 1

    def _drop_void_places(self) -> None:
        places = self.order
        self.order = deque()
        for key in places:
            if key in self._recalled:
                self._skip(key)
            else:
                self.order.append(key)

    def copy(self) -> Ghosts[K]:
        """An independent copy."""
        twin: Ghosts[K] = Ghosts()
        twin.keys = self.keys.copy()
        twin.order = self.order.copy()
        twin.enough = self.enough
        twin._recalled = self._recalled.copy()
        return twin
