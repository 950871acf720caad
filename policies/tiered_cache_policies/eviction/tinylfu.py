"""W-TinyLFU: an entry leaves the window for the main part if it was used more than its victim."""

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


class _SegmentNode(QueueNode[K, V]):
    """An entry in a segment, or the sentinel of one: then `size` is the size of the segment.

    Attributes:
        segment: The sentinel of the entry's segment.
        uses: The known uses of the key, halved each period.
        place: A hash of the key. Its last bits select the cell that keeps the uses after eviction.
    """

    __slots__ = ("place", "segment", "uses")

    kept = (*QueueNode.kept, "place", "uses")
    segment: _SegmentNode[K, V]
    uses: int
    place: int


def _segment() -> Any:
    sentinel = ring(_SegmentNode)
    sentinel.size = sentinel.visits = 0
    sentinel.uses = MOST  # no entry wins against the sentinel of an empty segment
    return sentinel


def _move(node: Any, segment: Any) -> None:
    """Move `node` to the end of a segment."""
    node.newer.older = older = node.older
    older.newer = node.newer
    size = node.size
    node.segment.size -= size
    segment.size += size
    node.newer = node.segment = segment
    node.older = newest = segment.older
    newest.newer = segment.older = node


class TinyLFU(VisitCounting[K, V, _SegmentNode[K, V]]):
    """A bounded mapping that evicts by W-TinyLFU: recency in a window, frequency in a main part.

    New entries queue in a window. An eviction compares the oldest entry of the window with the next
    victim of the main part. It evicts the one with fewer uses; the other one is in the main part
    from then on. The main part has two segments: an entry is on probation first, and protected after
    a use there. An entry counts its own uses. An eviction stores them in a sketch of 16 to 32 bytes
    per entry, where the key finds them when it returns. After ten uses per entry all counts are
    halved, and the window's share of the whole takes a step towards the better hit ratio.

    Sources: Einziger, Friedman and Manes, "TinyLFU: A Highly Efficient Cache Admission Policy",
    ACM Transactions on Storage 13(4), 2017; Einziger, Eytan, Friedman and Manes, "Adaptive
    Software Cache Management", Middleware 2018. Unlike there, a hit moves no entry: it only adds to
    the node's `visits`, so it needs no lock (`contracts.LockFreeReads`). An eviction puts the
    segments in order and counts the visits as uses.

    It behaves as any `cachetools.Cache`: `ValueError` for a value larger than `maxsize`, `KeyError`
    for an absent key unless a subclass has `__missing__`, eviction by `self.popitem()` only. `[]`,
    `get`, `setdefault` and replacing a value are visits; `in`, `len`, `pop` and iteration over the
    keys are not.

    Args:
        maxsize: The largest size of all entries, in the unit of `getsizeof`.
        getsizeof: The size of a value; 1 for each by default.

    Cost: O(1) amortised; once in ten uses per entry, an eviction visits every entry. Safe for one
    thread, and any number of readers of `nodes`.
    """

    _NODE = _SegmentNode

    def __init__(self, maxsize: float, getsizeof: Callable[[V], float] | None = None) -> None:
        super().__init__(maxsize, getsizeof)
        self._frequency = Frequency(maxsize, sized=self._measured)

    def _forget(self) -> None:
        super()._forget()
        # Any, because neighbours have the type of the base class, which has no segments.
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
        node: _SegmentNode[K, V]
        nodes[key] = node = new(_SegmentNode)
        node.key = key
        node.value = value
        node.size = size
        node.visits = node.total_visits = 0
        # The hash of a tuple, because the hash of an int is the int: its last bits often repeat.
        node.place = place = hash((key,))
        uses = frequency.counts[place & frequency.mask]
        node.uses = uses + 1 if uses < MOST else MOST
        node.newer = node.segment = window = self._window
        node.older = newest = window.older
        newest.newer = window.older = node
        window.size += size
        self._used = used

    def _remove(self, node: _SegmentNode[K, V]) -> None:
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

    def _assign(self, node: _SegmentNode[K, V], value: V, size: float) -> None:
        node.segment.size += size - node.size
        super()._assign(node, value, size)

    def popitem(self) -> tuple[K, V]:
        """Remove and return the `(key, value)` that loses the comparison."""
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
        # As in _remove, without the call: this is half of an insertion into a full cache.
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
        """The oldest entry of the main part without a visit; `_protected` if the part is empty."""
        probation, protected = self._probation, self._protected
        limit = self._frequency.protected_limit
        node = protected
        # This many steps use up all visits. The count bounds the loop even if other threads keep
        # visiting every entry.
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
        """Move the excess of the window into the main part while it has room; the last one stays."""
        window, frequency = self._window, self._frequency
        free = frequency.main_limit - (self._used - window.size)
        while window.size > frequency.window_limit:
            node = window.newer
            if node.size > free or node is window.older:
                break
            free -= node.size
            _move(node, self._probation)

    def _reward(self, node: _SegmentNode[K, V]) -> None:
        visits = node.visits
        node.visits = 0
        node.total_visits += visits
        node.uses = min(node.uses + visits, MOST)
        self._frequency.uses += visits
        self._frequency.hits += visits

    def _end_period(self) -> None:
        for node in self.nodes.values():
            if node.visits:
                # One visit is left, or an entry that is in use would look unused.
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
        # So far the copy shares this object with the original.
        self._frequency = copy(self._frequency)
