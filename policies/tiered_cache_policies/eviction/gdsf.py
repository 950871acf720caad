"""Greedy-Dual-Size-Frequency: entries that are cheap, large and seldom used are evicted first."""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING, Any, TypeVar

from tiered_cache_policies.eviction._visits import State, VisitCounting, VisitNode

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["GDSF"]

K = TypeVar("K")
V = TypeVar("V")

_SPARE = 64


class _RankedNode(VisitNode[K, V]):
    """An entry with its rank.

    Attributes:
        weight: Its cost divided by its size.
        turn: The number of its place in the heap. Its places with other numbers are void.
    """

    __slots__ = ("turn", "weight")
    kept = (*VisitNode.kept, "turn", "weight")

    weight: float
    turn: int


class GDSF(VisitCounting[K, V, _RankedNode[K, V]]):
    """A bounded mapping that evicts the entry that saves the least cost for its size.

    The priority of an entry is `clock + uses * cost / size`; the lowest is evicted. The clock is the
    priority of the last evicted entry, so new entries overtake old ones that are no longer used, even
    expensive ones. A hit only adds to the node's `visits`, so it needs no lock
    (`contracts.LockFreeReads`). The priority is updated when the entry would be evicted. That
    credits old uses as if they were new, which loses no hits on the traces.

    Source: Cherkasova, "Improving WWW Proxies Performance with Greedy-Dual-Size-Frequency Caching
    Policy", HP Laboratories report HPL-98-69, 1998.

    It behaves as any `cachetools.Cache`: `ValueError` for a value larger than `maxsize`, `KeyError`
    for an absent key unless a subclass has `__missing__`, eviction by `self.popitem()` only. `[]`,
    `get`, `setdefault` and replacing a value are visits; `in`, `len`, `pop` and iteration over the
    keys are not.

    Args:
        maxsize: The largest size of all entries, in the unit of `getsizeof`.
        getsizeof: The size of a value; 1 for each by default.
        getcost: The cost of computing a value, in seconds or any other unit; 1 for each by default.
            It is called once, when the value is stored. A cost that is not above 0 counts as 0: such
            entries are evicted first, the least recently used before the others.

    Attributes:
        getcost: As given. A memory tier replaces it by a function that knows its entries.

    Cost: a hit O(1), an insertion O(log n) amortised over the visits. Safe for one thread, and any
    number of readers of `nodes`.
    """

    _NODE = _RankedNode

    def __init__(
        self,
        maxsize: float,
        getsizeof: Callable[[V], float] | None = None,
        getcost: Callable[[V], float] | None = None,
    ) -> None:
        super().__init__(maxsize, getsizeof)
        self.getcost: Callable[[V], float] = _the_same if getcost is None else getcost

    def _forget(self) -> None:
        super()._forget()
        self._clock = 0.0
        self._turn = 0
        self._heap: list[tuple[float, int, K]] = []

    def _weigh(self, value: V, size: float) -> float:
        cost = self.getcost(value)
        if not cost > 0:  # also for NaN
            return 0.0
        return cost / size if size else math.inf

    def _rank(self, node: _RankedNode[K, V]) -> tuple[float, int, K]:
        """A new place in the heap for `node`; its old place becomes void."""
        self._turn += 1
        node.turn = self._turn
        uses = 1 + node.total_visits
        return (self._clock + uses * node.weight, self._turn, node.key)

    def _insert(self, key: K, value: V, size: float) -> None:
        weight = self._weigh(value, size)
        while self._used + size > self._limit:
            self.popitem()
        node: _RankedNode[K, V] = _RankedNode()
        node.key = key
        node.value = value
        node.size = size
        node.visits = 0
        node.total_visits = 0
        node.weight = weight
        heapq.heappush(self._heap, self._rank(node))
        self.nodes[key] = node
        self._used += size

    def _assign(self, node: _RankedNode[K, V], value: V, size: float) -> None:
        node.weight = self._weigh(value, size)
        super()._assign(node, value, size)
        heapq.heappush(self._heap, self._rank(node))
        self._prune()

    def _remove(self, node: _RankedNode[K, V]) -> None:
        super()._remove(node)
        self._prune()

    def _prune(self) -> None:
        """Remove void places if they are the majority: bounds the memory, at O(1) amortised."""
        if len(self._heap) > 2 * len(self.nodes) + _SPARE:
            self._heap = [place for place in self._heap if self._at(place) is not None]
            heapq.heapify(self._heap)

    def _at(self, place: tuple[float, int, K]) -> _RankedNode[K, V] | None:
        node = self.nodes.get(place[2])
        return node if node is not None and node.turn == place[1] else None

    def popitem(self) -> tuple[K, V]:
        """Remove and return the `(key, value)` of the lowest priority."""
        heap = self._heap
        # One round credits all visits. The count bounds it even if other threads keep visiting.
        uncredited = len(self.nodes)
        while heap:
            place = heap[0]
            node = self._at(place)
            if node is not None and node.visits and uncredited:
                uncredited -= 1
                node.total_visits += node.visits
                node.visits = 0
                heapq.heapreplace(heap, self._rank(node))
                continue
            heapq.heappop(heap)
            if node is not None:
                if place[0] < math.inf:
                    self._clock = place[0]
                self._remove(node)
                return node.key, node.value
        raise self._nothing_left() from None

    def __getstate__(self) -> State:
        attributes, rows = super().__getstate__()
        return attributes | {"_heap": self._heap.copy()}, rows


def _the_same(_: Any) -> float:
    return 1.0
