"""SIEVE: first in, first out, except that visited entries are spared in their place."""

from __future__ import annotations

from typing import TypeVar

from tiered_cache_policies.eviction._ring import QueueNode, append, dissolve, ring
from tiered_cache_policies.eviction._visits import State, VisitCounting

__all__ = ["Sieve"]

K = TypeVar("K")
V = TypeVar("V")


class Sieve(VisitCounting[K, V, QueueNode[K, V]]):
    """A bounded mapping that evicts by SIEVE.

    Entries are in a queue in the order of their insertion. A hand moves from the oldest towards the
    newest. It spares an entry that was visited since it last passed, evicts one that was not, and
    stays there until the next eviction. After the newest it continues at the oldest. A hit moves no
    entry: it only adds to the node's `visits`, so it needs no lock (`contracts.LockFreeReads`).

    Source: Zhang et al., "SIEVE is Simpler than LRU: an Efficient Turn-Key Eviction Algorithm for
    Web Caches", NSDI 2024.

    It behaves as any `cachetools.Cache`: `ValueError` for a value larger than `maxsize`, `KeyError`
    for an absent key unless a subclass has `__missing__`, eviction by `self.popitem()` only. `[]`,
    `get`, `setdefault` and replacing a value are visits; `in`, `len`, `pop` and iteration over the
    keys are not.

    Args:
        maxsize: The largest size of all entries, in the unit of `getsizeof`.
        getsizeof: The size of a value; 1 for each by default.

    Cost: O(1). An eviction passes each entry at most once, and O(1) of them amortised over the
    visits. Safe for one thread, and any number of readers of `nodes`.
    """

    _NODE = QueueNode

    def _forget(self) -> None:
        super()._forget()
        self._hand = self._queue = ring(QueueNode)

    def _insert(self, key: K, value: V, size: float) -> None:
        while (used := self._used + size) > self._limit:
            self.popitem()
        node: QueueNode[K, V]
        self.nodes[key] = node = QueueNode()
        node.key = key
        node.value = value
        node.size = size
        node.visits = 0
        node.total_visits = 0
        node.newer = queue = self._queue
        node.older = newest = queue.older
        newest.newer = queue.older = node
        self._used = used

    def _remove(self, node: QueueNode[K, V]) -> None:
        super()._remove(node)
        node.newer.older, node.older.newer = node.older, node.newer
        if node is self._hand:
            self._hand = node.newer

    def popitem(self) -> tuple[K, V]:
        """Remove and return the next `(key, value)` that the hand finds unvisited."""
        sentinel = self._queue
        node = self._hand
        if node is sentinel:
            node = sentinel.newer
            if node is sentinel:
                raise self._nothing_left() from None
        if node.visits:
            # One round clears every mark, so the hand finds an entry. The count bounds the round
            # even if other threads keep visiting every entry.
            for _ in range(len(self.nodes)):
                node.total_visits += node.visits
                node.visits = 0
                node = node.newer
                if node is sentinel:
                    node = sentinel.newer
                if not node.visits:
                    break
        # As in _remove, without the call: this is half of an insertion into a full cache.
        self._hand = newer = node.newer
        newer.older = older = node.older
        older.newer = newer
        del self.nodes[node.key]
        self._used -= node.size
        return node.key, node.value

    def clear(self) -> None:
        """Remove everything. O(n)."""
        dissolve(self._queue)
        super().clear()

    def __getstate__(self) -> State:
        attributes, rows = super().__getstate__()
        nodes = self.nodes.values()
        attributes["_place"] = next((n for n, node in enumerate(nodes) if node is self._hand), None)
        return attributes, rows

    def _requeue(self) -> None:
        place = self.__dict__.pop("_place")
        for number, node in enumerate(self.nodes.values()):
            append(node, self._queue)
            if number == place:
                self._hand = node
