"""What LRU would hold: keys and sizes, without a cache's face."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

__all__ = ["LRUShadow"]

K = TypeVar("K")


class LRUShadow(Generic[K]):
    """A bounded set of keys in the order of their last use; a third of the cost of a cache.

    Attributes:
        nodes: The sizes by key, least recently used first.
        currsize: What they add up to.
    """

    def __init__(self, maxsize: float) -> None:
        self.nodes: OrderedDict[K, float] = OrderedDict()
        self.currsize: float = 0
        self._limit = maxsize

    def __setitem__(self, key: K, size: float) -> None:
        if key in self.nodes:
            self.nodes.move_to_end(key)
            return
        while self.currsize + size > self._limit:
            self.popitem()
        self.nodes[key] = size
        self.currsize += size

    def __delitem__(self, key: K) -> None:
        self.currsize -= self.nodes.pop(key)

    def popitem(self) -> tuple[K, float]:
        """Let the least recently used key go."""
        key, size = self.nodes.popitem(last=False)
        self.currsize -= size
        return key, size

    def clear(self) -> None:
        """Let all go."""
        self.nodes.clear()
        self.currsize = 0

    def __copy__(self) -> LRUShadow[K]:
        twin: LRUShadow[K] = LRUShadow(self._limit)
        twin.nodes = self.nodes.copy()
        twin.currsize = self.currsize
        return twin
