"""W-TinyLFU: what leaves the window stays only where it was used more than the next to go."""

from __future__ import annotations

from copy import copy
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from tiered_cache_policies.eviction._frequency import MOST, Frequency
from tiered_cache_policies.eviction._ring import QueueNode, append, dissolve, new, ring, walk
from tiered_cache_policies.eviction._visits import State, VisitCounting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["TinyLFU"]

K = TypeVar("K")
V = TypeVar("V")


class _Node(QueueNode[K, V]):
    """A node, or the sentinel of a segment: then `size` is that of all its nodes.

    Attributes:
        segment: The sentinel of the segment that it stands in.
        uses: How often its key was used, as far as is known and not forgotten.
        place: A hash of the key, whose last bits choose the cell for its uses when it is gone.
    """

    __slots__ = ("place", "segment", "uses")

    kept = (*QueueNode.kept, "place", "uses")
    segment: _Node[K, V]
    uses: int
    place: int


def _segment() -> Any:
    sentinel = ring(_Node)
    sentinel.size = sentinel.visits = 0
    sentinel.uses = MOST  # nothing is worth more than what an empty segment would let go
    return sentinel


def _move(node: Any, segment: Any) -> None:
    """Make `node` the newest of a segment."""
    node.newer.older = older = node.older
    older.newer = node.newer
    size = node.size
    node.segment.size -= size
    segment.size += size
    node.newer = node.segment = segment
    node.older = newest = segment.older
    newest.newer = segment.older = node


class TinyLFU(VisitCounting[K, V, _Node[K, V]]):
    """A bounded mapping that evicts by W-TinyLFU: recency in a window, frequency behind it.

    New entries queue in a window. When something has to go, the window's oldest entry is compared
    with the one that the main part would let go. The one whose key was used less often is
    evicted, and the other one is in the main part from then on. That part has two segments:
    entries are on probation first, and protected once they were used there. Uses are counted on
    what is held; what leaves takes its count to a sketch of 16 to 32 bytes an entry, where it
    finds it again. After ten uses per entry all counts are halved, and the window's share of the
    whole takes a step towards the better hit ratio.

    Sources: Einziger, Friedman and Manes, "TinyLFU: A Highly Efficient Cache Admission Policy",
    ACM Transactions on Storage 13(4), 2017; Einziger, Eytan, Friedman and Manes, "Adaptive
    Software Cache Management", Middleware 2018. Unlike there, a hit moves nothing: it only adds
    to the node's `visits`, so it needs no lock (`contracts.LockFreeReads`). The segments are put
    in order, and the visits counted as uses, when an eviction comes by.

    It behaves as every `cachetools.Cache` does: `ValueError` for a value larger than `maxsize`,
    `KeyError` for an absent key unless a subclass has `__missing__`, eviction by `self.popitem()`
    only. `[]`, `get`, `setdefault` and replacing a value are visits; `in`, `len`, `pop` and
    iteration over the keys are not.

    Args:
        maxsize: The most that it holds, in the unit of `getsizeof`.
        getsizeof: The size of a value; by default each counts 1.

    Cost: O(1) amortised; once in ten uses per entry, an eviction looks at everything. Safe for
    one thread, and readers on `nodes` beside it.
    """

    _NODE = _Node

    def __init__(self, maxsize: float, getsizeof: Callable[[V], float] | None = None) -> None:
        super().__init__(maxsize, getsizeof)
        self._frequency = Frequency(maxsize, sized=self._measured)

    def _forget(self) -> None:
        super()._forget()
        # Neighbours are of the base's type, which knows no segments.
        self._window: Any = _segment()
        self._probation: Any = _segment()
        self._protected: Any = _segment()

    def _insert(self, key: K, value: V, size: float) -> None:
        frequency = self._frequency
        while (used := self._used + size) > self._limit:
            self.popitem()
        nodes = self.nodes
        if len(nodes) >= frequency.room:
            frequency.grow()
        node: _Node[K, V]
        nodes[key] = node = new(_Node)
        node.key = key
        node.value = value
        node.size = size
        node.visits = node.total_visits = 0
        # A tuple's hash mixes its item's: an int's own is the int, whose last bits often repeat.
        node.place = place = hash((key,))
        uses = frequency.counts[place & frequency.mask]
        node.uses = uses + 1 if uses < MOST else MOST
        node.newer = node.segment = window = self._window
        node.older = newest = window.older
        newest.newer = window.older = node
        window.size += size
        self._used = used

    def _remove(self, node: _Node[K, V]) -> None:
        node.newer.older = older = node.older
        older.newer = node.newer
        size = node.size
        node.segment.size -= size
        self._used -= size
        del self.nodes[node.key]
        frequency = self._frequency
        cell = node.place & frequency.mask
        uses = node.uses
        if frequency.counts[cell] < uses:
            frequency.counts[cell] = uses

    def _assign(self, node: _Node[K, V], value: V, size: float) -> None:
        node.segment.size += size - node.size
        super()._assign(node, value, size)

    def popitem(self) -> tuple[K, V]:
        """Remove and return the `(key, value)` that lost the comparison."""
        frequency = self._frequency
        window, probation = self._window, self._probation
        if window.size > frequency.window_limit:
            self._fill_main()
        candidate, victim = window.newer, probation.newer
        if victim.visits or victim is probation:
            victim = self._victim()
        if candidate is not window and self._used - window.size <= frequency.main_limit:
            if candidate.visits:
                self._reward(candidate)
            if candidate.uses <= victim.uses:
                victim = candidate
            else:
                _move(candidate, probation)
        elif victim is self._protected:
            raise self._nothing_left() from None
        # As _remove does, without the call: half of every insertion into a full cache is here.
        victim.newer.older = older = victim.older
        older.newer = victim.newer
        size = victim.size
        victim.segment.size -= size
        self._used -= size
        key = victim.key
        del self.nodes[key]
        cell = victim.place & frequency.mask
        uses = victim.uses
        if frequency.counts[cell] < uses:
            frequency.counts[cell] = uses
        frequency.uses += 1
        if frequency.uses >= frequency.due:
            self._end_period()
        return key, victim.value

    def _victim(self) -> Any:
        """The main part's oldest entry that was not used there; `_protected` if it is empty."""
        probation, protected = self._probation, self._protected
        limit = self._frequency.protected_limit
        node = protected
        # So many steps use up all visits. Counting them bounds it where other threads keep
        # visiting everything.
        for _ in range(2 * len(self.nodes)):
            node = probation.newer
            if node is probation:
                node = protected.newer
            if not node.visits:
                break
            self._reward(node)
            _move(node, protected)
            while protected.size > limit:
                _move(protected.newer, probation)
        return node

    def _fill_main(self) -> None:
        """Let all that the window has too much but one into the main part, if there is room."""
        window, frequency = self._window, self._frequency
        free = frequency.main_limit - (self._used - window.size)
        while window.size > frequency.window_limit:
            node = window.newer
            if node.size > free or node is window.older:
                break
            free -= node.size
            _move(node, self._probation)

    def _reward(self, node: _Node[K, V]) -> None:
        visits = node.visits
        node.visits = 0
        node.total_visits += visits
        node.uses = min(node.uses + visits, MOST)
        self._frequency.uses += visits
        self._frequency.hits += visits

    def _end_period(self) -> None:
        for node in self.nodes.values():
            if node.visits:
                # One is left: having been looked at must not make it seem unused.
                node.visits -= 1
                self._reward(node)
                node.visits = 1
            node.uses >>= 1
        self._frequency.end_period(len(self.nodes))

    def clear(self) -> None:
        """Remove everything, and forget every count. O(n)."""
        for segment in (self._window, self._probation, self._protected):
            dissolve(segment)
        super().clear()
        self._frequency = Frequency(self._limit, sized=self._measured)

    def _in_order(self) -> Iterator[Any]:
        return chain(walk(self._window), walk(self._probation), walk(self._protected))

    def __getstate__(self) -> State:
        attributes, rows = super().__getstate__()
        attributes["_main"] = sum(1 for _ in walk(self._window))
        attributes["_safe"] = attributes["_main"] + sum(1 for _ in walk(self._probation))
        return attributes, rows

    def _requeue(self) -> None:
        main, safe = self.__dict__.pop("_main"), self.__dict__.pop("_safe")
        for number, node in enumerate(self.nodes.values()):
            segment = self._window if number < main else self._probation
            node.segment = segment = self._protected if number >= safe else segment
            segment.size += node.size
            append(node, segment)
        # A copy is made of what still is the original's.
        self._frequency = copy(self._frequency)
