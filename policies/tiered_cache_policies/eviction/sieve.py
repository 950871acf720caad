"""SIEVE: first in, first out, but what was visited meanwhile is spared where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from cachetools import Cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Sieve", "SieveNode"]

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")

_REQUIRED: Any = object()
_QUEUE = frozenset({"nodes", "_sentinel", "_hand", "_used"})
"""The attributes that refer to nodes. Chained nodes are neither shared by a copy nor pickled: a
pickle would recurse from neighbour to neighbour."""


class SieveNode(Generic[K, V]):
    """An entry's place in the queue, a ring that is closed by a sentinel.

    Attributes:
        key: The key.
        value: The value.
        size: What it takes, in the unit of the policy's `getsizeof`.
        visits: Its visits since the hand passed it; readers without the lock add to it.
        total_visits: Its visits before that.
        newer: The neighbour that was inserted next; the newest's is the sentinel.
        older: The neighbour that was inserted before; the oldest's is the sentinel.
    """

    __slots__ = ("key", "newer", "older", "size", "total_visits", "value", "visits")

    newer: SieveNode[K, V]
    older: SieveNode[K, V]

    def __init__(self, key: K, value: V, size: float, sentinel: SieveNode[K, V]) -> None:
        self.key = key
        self.value = value
        self.size = size
        self.visits = 0
        self.total_visits = 0
        self.newer = sentinel
        self.older = newest = sentinel.older
        newest.newer = sentinel.older = self


class Sieve(Cache[K, V]):
    """A bounded mapping that evicts by SIEVE; it scans less than LRU lets through.

    Entries stand in a queue in the order in which they were inserted. A hand walks from the
    oldest towards the newest: an entry that was visited since the hand last passed is spared, one
    that was not is evicted, and the hand stays there for the next eviction. From the newest it
    goes on at the oldest. A hit moves nothing: it only adds to the node's `visits`, so it needs
    no lock (`contracts.LockFreeReads`) and an insertion is all that pays for the order.

    Source: Zhang et al., "SIEVE is Simpler than LRU: an Efficient Turn-Key Eviction Algorithm for
    Web Caches", NSDI 2024.

    It behaves as every `cachetools.Cache` does: `ValueError` for a value larger than `maxsize`,
    `KeyError` for an absent key unless a subclass has `__missing__`, eviction by `self.popitem()`
    only. `[]`, `get`, `setdefault` and replacing a value are visits; `in`, `len`, `pop` and
    iteration over the keys are not.

    Args:
        maxsize: The most that it holds, in the unit of `getsizeof`.
        getsizeof: The size of a value; by default each counts 1.

    Cost: O(1); an eviction passes each entry once at most, and O(1) of them amortised over the
    visits that made it pass. Safe for one thread, and readers on `nodes` beside it.
    """

    def __init__(self, maxsize: float, getsizeof: Callable[[V], float] | None = None) -> None:
        # The base class keeps values in a dictionary of its own, which stays empty here: a second
        # look-up for each access would cost as much as the policy.
        super().__init__(maxsize, getsizeof)
        self.nodes: dict[K, SieveNode[K, V]] = {}
        self._limit = maxsize
        self._sized = self.getsizeof is not Cache.getsizeof
        self._sentinel: SieveNode[K, V] = SieveNode.__new__(SieveNode)
        self._forget()

    def _forget(self) -> None:
        sentinel = self._sentinel
        sentinel.newer = sentinel.older = self._hand = sentinel
        self._used: float = 0

    @property
    def currsize(self) -> float:
        """What it holds now, in the unit of `getsizeof`."""
        return self._used

    def __getitem__(self, key: K) -> V:
        try:
            node = self.nodes[key]
        except KeyError:
            return self.__missing__(key)
        node.visits += 1
        return node.value

    def __setitem__(self, key: K, value: V) -> None:
        size = self.getsizeof(value) if self._sized else 1
        if not 0 <= size <= self._limit:
            msg = "value too large" if size > self._limit else "value size must be non-negative"
            raise ValueError(msg)
        held = self.nodes.get(key)
        if held is not None and self._replace(held, value, size):
            return
        while self._used + size > self._limit:
            self.popitem()
        self.nodes[key] = SieveNode(key, value, size, self._sentinel)
        self._used += size

    def _replace(self, node: SieveNode[K, V], value: V, size: float) -> bool:
        """Whether `node` still was there when there was room for its new value."""
        node.visits += 1  # before the evictions, so that they spare it if they can
        while self._used + size - node.size > self._limit:
            self.popitem()
            if self.nodes.get(node.key) is not node:
                return False
        self._used += size - node.size
        node.size = size
        node.value = value
        return True

    def __delitem__(self, key: K) -> None:
        self._remove(self.nodes[key])

    def _remove(self, node: SieveNode[K, V]) -> None:
        node.newer.older, node.older.newer = node.older, node.newer
        if node is self._hand:
            self._hand = node.newer
        del self.nodes[node.key]
        self._used -= node.size

    def popitem(self) -> tuple[K, V]:
        """Remove and return the next `(key, value)` that the hand finds unvisited."""
        sentinel = self._sentinel
        node = self._hand
        if node is sentinel:
            node = sentinel.newer
            if node is sentinel:
                msg = f"{type(self).__name__} is empty"
                raise KeyError(msg) from None
        if node.visits:
            # One round clears every mark, so by then the hand has found its entry. Counting the
            # steps bounds it where other threads keep visiting everything.
            for _ in range(len(self.nodes)):
                node.total_visits += node.visits
                node.visits = 0
                node = node.newer
                if node is sentinel:
                    node = sentinel.newer
                if not node.visits:
                    break
        # As _remove does, without the call: half of every insertion into a full cache is here.
        self._hand = newer = node.newer
        newer.older = older = node.older
        older.newer = newer
        del self.nodes[node.key]
        self._used -= node.size
        return node.key, node.value

    def __contains__(self, key: object) -> bool:
        return key in self.nodes

    def __iter__(self) -> Iterator[K]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def __repr__(self) -> str:
        values = {key: node.value for key, node in self.nodes.items()}
        return (
            f"{type(self).__name__}({values!r}, maxsize={self._limit!r}, currsize={self._used!r})"
        )

    @overload
    def get(self, key: K, /) -> V | None: ...
    @overload
    def get(self, key: K, /, default: V | T) -> V | T: ...
    def get(self, key: K, default: Any = None) -> Any:
        """The value of `key`, or `default`; a visit."""
        node = self.nodes.get(key)
        if node is None:
            return default
        node.visits += 1
        return node.value

    @overload
    def pop(self, key: K) -> V: ...
    @overload
    def pop(self, key: K, default: V | T) -> V | T: ...
    def pop(self, key: K, default: Any = _REQUIRED) -> Any:
        """Remove `key` and return its value, or `default`."""
        node = self.nodes.get(key)
        if node is not None:
            self._remove(node)
            return node.value
        if default is _REQUIRED:
            raise KeyError(key)
        return default

    def clear(self) -> None:
        """Remove everything. O(n)."""
        # Neighbours refer to each other: unlinked, the values go now, and not when the garbage
        # collector finds the cycles.
        for node in self.nodes.values():
            node.newer = node.older = self._sentinel
        self.nodes.clear()
        self._forget()

    def __copy__(self) -> Sieve[K, V]:
        twin = type(self).__new__(type(self))
        twin.__setstate__(self.__getstate__())
        return twin

    def __getstate__(self) -> tuple[dict[str, Any], list[tuple[Any, ...]], int | None]:
        # The dictionary is in the order of the queue: both append what is new.
        nodes = list(self.nodes.values())
        rows = [(each.key, each.value, each.size, each.visits, each.total_visits) for each in nodes]
        hand = next((place for place, node in enumerate(nodes) if node is self._hand), None)
        return {k: v for k, v in self.__dict__.items() if k not in _QUEUE}, rows, hand

    def __setstate__(self, state: tuple[dict[str, Any], list[tuple[Any, ...]], int | None]) -> None:
        attributes, rows, hand = state
        self.__dict__.update(attributes)
        self.nodes = {}
        self._sentinel = SieveNode.__new__(SieveNode)
        self._forget()
        self._used = sum(size for _, _, size, _, _ in rows)
        for place, (key, value, size, visits, total_visits) in enumerate(rows):
            self.nodes[key] = node = SieveNode(key, value, size, self._sentinel)
            node.visits, node.total_visits = visits, total_visits
            if place == hand:
                self._hand = node
