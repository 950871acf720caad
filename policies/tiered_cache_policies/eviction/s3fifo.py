"""S3-FIFO: a small queue that evicts most new entries early, a main queue, and ghosts."""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from tiered_cache_policies.eviction._ghosts import Ghosts
from tiered_cache_policies.eviction._ring import QueueNode, append, dissolve, ring, walk
from tiered_cache_policies.eviction._visits import State, VisitCounting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["S3FIFO"]

K = TypeVar("K")
V = TypeVar("V")

_SMALL = 0.1
_GHOSTS = 0.9
_PROVEN = 2
"""Visits in the small queue after which an entry moves to the main queue."""
_MOST = 3
"""The most visits that count in the main queue. Each spares the entry for one round."""


class _ProvenNode(QueueNode[K, V]):
    """An entry in one of the two queues.

    Attributes:
        proven: Whether it is in the main queue.
    """

    __slots__ = ("proven",)
    kept = (*QueueNode.kept, "proven")

    proven: bool


class S3FIFO(VisitCounting[K, V, _ProvenNode[K, V]]):
    """A bounded mapping that evicts by S3-FIFO: entries that are used once leave quickly.

    New entries enter a small queue, a tenth of the whole. Its oldest entry moves to the main queue
    if it was visited twice, and is evicted otherwise. The key of an evicted entry is remembered for
    a while, as a ghost. A ghost that comes back goes straight to the main queue. The main queue
    evicts its oldest entry, unless it was visited: then the entry goes round again, once for each of
    at most three visits. Until the first ghost, new entries that don't fit into the small queue go
    to the main queue. A hit moves no entry: it only adds to the node's `visits`, so it needs no lock
    (`contracts.LockFreeReads`).

    Source: Yang et al., "FIFO Queues are All You Need for Cache Eviction", SOSP 2023.

    It behaves as any `cachetools.Cache`: `ValueError` for a value larger than `maxsize`, `KeyError`
    for an absent key unless a subclass has `__missing__`, eviction by `self.popitem()` only. `[]`,
    `get`, `setdefault` and replacing a value are visits; `in`, `len`, `pop` and iteration over the
    keys are not.

    Args:
        maxsize: The largest size of all entries, in the unit of `getsizeof`. In addition, it
            remembers the keys of evicted entries, up to nine tenths as many as there are entries.
        getsizeof: The size of a value; 1 for each by default.

    Cost: O(1) amortised. An eviction passes each entry at most four times, and only as often as it
    was visited. Safe for one thread, and any number of readers of `nodes`.
    """

    _NODE = _ProvenNode

    def __init__(self, maxsize: float, getsizeof: Callable[[V], float] | None = None) -> None:
        super().__init__(maxsize, getsizeof)
        self._counted = not self._measured and maxsize < math.inf
        self._small_limit = max(int(maxsize * _SMALL), 1) if self._counted else maxsize * _SMALL
        self._main_limit = maxsize - self._small_limit if maxsize < math.inf else maxsize

    def _forget(self) -> None:
        super()._forget()
        self._small: _ProvenNode[K, V] = ring(_ProvenNode)
        self._main: _ProvenNode[K, V] = ring(_ProvenNode)
        self._main_used: float = 0
        self._ghosts: Ghosts[K] = Ghosts()

    def __setitem__(self, key: K, value: V) -> None:
        # As in the base class, with _insert inlined.
        nodes = self.nodes
        size = self._measure(value) if self._measured else 1
        if key in nodes and self._replace(nodes[key], value, size):
            return
        ghosts = self._ghosts
        proven = key in ghosts.keys and ghosts.recall(key, self._memory())
        if (used := self._used + size) > self._limit:
            self.popitem()
            while (used := self._used + size) > self._limit:
                self.popitem()
        elif not ghosts.order and used - self._main_used > self._small_limit:
            proven = True
        node: _ProvenNode[K, V]
        nodes[key] = node = _ProvenNode()
        node.key = key
        node.value = value
        node.size = size
        node.visits = 0
        node.total_visits = 0
        node.proven = proven
        if proven:
            queue = self._main
            self._main_used += size
        else:
            queue = self._small
        node.newer = queue
        node.older = newest = queue.older
        newest.newer = queue.older = node
        self._used = used

    def _memory(self) -> int:
        """The most ghosts: a share of the possible or present number of entries."""
        return int((self._limit if self._counted else len(self.nodes)) * _GHOSTS)

    def _remove(self, node: _ProvenNode[K, V]) -> None:
        super()._remove(node)
        node.newer.older, node.older.newer = node.older, node.newer
        if node.proven:
            self._main_used -= node.size

    def _assign(self, node: _ProvenNode[K, V], value: V, size: float) -> None:
        if node.proven:
            self._main_used += size - node.size
        super()._assign(node, value, size)

    def popitem(self) -> tuple[K, V]:
        """Remove and return the next `(key, value)`: the oldest with too few visits for its queue."""
        # With sizes, the share of the main queue is one of the present size: a tier that also
        # limits the number of entries evicts long before the sizes reach the limit.
        limit = self._main_limit if self._counted else self._used * (1 - _SMALL)
        if self._main_used <= limit:
            small = self._small
            while (node := small.newer) is not small:
                small.newer = newer = node.newer
                newer.older = small
                if node.visits < _PROVEN:
                    key = node.key
                    ghosts = self._ghosts
                    ghosts.keys[key] = None
                    order = ghosts.order
                    order.append(key)
                    if len(order) > ghosts.enough:
                        ghosts.trim(self._memory())
                    del self.nodes[key]
                    self._used -= node.size
                    return key, node.value
                self._promote(node)
        return self._pop_main()

    def _promote(self, node: _ProvenNode[K, V]) -> None:
        node.total_visits += node.visits
        node.visits = 0
        node.proven = True
        self._main_used += node.size
        append(node, self._main)

    def _pop_main(self) -> tuple[K, V]:
        main = self._main
        node = main.newer
        if node is main:
            raise self._nothing_left() from None
        if node.visits:
            node = self._turn(node)
        main.newer = newer = node.newer
        newer.older = main
        del self.nodes[node.key]
        size = node.size
        self._used -= size
        self._main_used -= size
        return node.key, node.value

    def _turn(self, node: _ProvenNode[K, V]) -> _ProvenNode[K, V]:
        """Requeue the visited nodes at the head of the main queue; return the first unvisited one."""
        main = self._main
        # This many steps use up all visits. The count bounds the loop even if other threads keep
        # visiting every entry.
        for _ in range((_MOST + 1) * len(self.nodes)):
            visits = node.visits
            if not visits:
                break
            node.visits = left = visits - 1 if visits < _MOST else _MOST - 1
            node.total_visits += visits - left
            node = node.newer
            if node is main:
                node = main.newer
        # The queue is a ring: moving the sentinel requeues all nodes that it passes.
        main.newer.older, main.older.newer = main.older, main.newer
        main.newer = node
        main.older = older = node.older
        older.newer = node.older = main
        return node

    def clear(self) -> None:
        """Remove everything, and forget the ghosts. O(n)."""
        dissolve(self._small)
        dissolve(self._main)
        super().clear()

    def _in_order(self) -> Iterator[_ProvenNode[K, V]]:
        return chain(walk(self._small), walk(self._main))

    def _requeue(self) -> None:
        for node in self.nodes.values():
            append(node, self._main if node.proven else self._small)

    def __getstate__(self) -> State:
        attributes, rows = super().__getstate__()
        return attributes | {"_ghosts": self._ghosts.copy()}, rows
