"""The base of policies with lock-free hits: a hit only counts a visit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, cast, overload

from cachetools import Cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["State", "VisitCounting", "VisitNode"]

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")
N = TypeVar("N", bound="VisitNode[Any, Any]")

_REQUIRED: Any = object()
State = tuple[dict[str, Any], list[tuple[Any, ...]]]
"""The pickled state of a policy: its attributes without the nodes, and a row for each node."""


class VisitNode(Generic[K, V]):
    """An entry of a policy.

    Attributes:
        key: The key.
        value: The value.
        size: Its size, in the unit of the policy's `getsizeof`.
        visits: The visits that the policy has not rewarded yet; readers without the lock add to it.
        total_visits: The visits before those.
    """

    __slots__ = ("key", "size", "total_visits", "value", "visits")
    kept: ClassVar[tuple[str, ...]] = __slots__
    """The attributes that a copy keeps. It must not keep neighbours: a pickle would recurse from
    one to the next."""

    key: K
    value: V
    size: float
    visits: int
    total_visits: int


class VisitCounting(Cache[K, V], Generic[K, V, N]):
    """The base of algorithms that look at visits only when they evict.

    An algorithm adds `popitem` and the methods of its order: `_insert`, `_remove`, `_forget`, and
    for copies `_in_order` and `_requeue`. Insertions make few calls and run no constructor, because
    every miss pays for them.

    It behaves as any `cachetools.Cache`: `ValueError` for a value larger than `maxsize`, `KeyError`
    for an absent key unless a subclass has `__missing__`, eviction by `self.popitem()` only. `[]`,
    `get`, `setdefault` and replacing a value are visits; `in`, `len`, `pop` and iteration over the
    keys are not. Safe for one thread, and any number of readers of `nodes`.

    Attributes:
        nodes: The nodes by key, live; the same dictionary for as long as the policy lives.
    """

    _NODE: ClassVar[type[VisitNode[Any, Any]]] = VisitNode

    nodes: dict[K, N]

    def __init__(self, maxsize: float, getsizeof: Callable[[V], float] | None = None) -> None:
        # The dictionary of the base class stays empty: a second look-up for each access would cost
        # as much as the policy.
        super().__init__(maxsize, getsizeof)
        self.nodes = {}
        self._limit = maxsize
        # If each counts 1 and there is room for one, no size can be wrong.
        self._measured = self.getsizeof is not Cache.getsizeof or maxsize < 1
        self._forget()

    def _forget(self) -> None:
        """Reset the order, for empty `nodes`."""
        self._used: float = 0

    def _insert(self, key: K, value: V, size: float) -> None:
        """Evict with `popitem` until there is room; add a node for `key`, counted in `_used`."""
        raise NotImplementedError

    def _remove(self, node: N) -> None:
        """Remove `node`."""
        del self.nodes[node.key]
        self._used -= node.size

    def _assign(self, node: N, value: V, size: float) -> None:
        """Replace the value of `node`; there is room for the new one."""
        self._used += size - node.size
        node.size = size
        node.value = value

    def _in_order(self) -> Iterable[N]:
        """The nodes, in an order from which `_requeue` can restore the queues."""
        return self.nodes.values()

    def _requeue(self) -> None:
        """Restore the queues of a copy from its `nodes`, which are in order but not linked."""

    @property
    def currsize(self) -> float:
        """The size of all entries, in the unit of `getsizeof`."""
        return self._used

    def __getitem__(self, key: K) -> V:
        try:
            node = self.nodes[key]
        except KeyError:
            return self.__missing__(key)
        node.visits += 1
        return node.value  # type: ignore[no-any-return] # a node of V

    def __setitem__(self, key: K, value: V) -> None:
        size = self._measure(value) if self._measured else 1
        if key not in self.nodes or not self._replace(self.nodes[key], value, size):
            self._insert(key, value, size)

    def _measure(self, value: V) -> float:
        size = self.getsizeof(value)
        if not 0 <= size <= self._limit:
            msg = "value too large" if size > self._limit else "value size must be non-negative"
            raise ValueError(msg)
        return size

    def _replace(self, node: N, value: V, size: float) -> bool:
        """Make room for a new value of `node`; false if that evicted `node` itself."""
        node.visits += 1  # before the evictions, so that they spare this node if they can
        while self._used + size - node.size > self._limit:
            self.popitem()
            if self.nodes.get(node.key) is not node:
                return False
        self._assign(node, value, size)
        return True

    def __delitem__(self, key: K) -> None:
        self._remove(self.nodes[key])

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
        self.nodes.clear()
        self._forget()

    def _nothing_left(self) -> KeyError:
        return KeyError(f"{type(self).__name__} is empty")

    def __copy__(self) -> Self:
        twin = type(self).__new__(type(self))
        twin.__setstate__(self.__getstate__())
        return twin

    def __getstate__(self) -> State:
        attributes = {
            name: each
            for name, each in self.__dict__.items()
            if name != "nodes" and not isinstance(each, VisitNode)
        }
        kept = self._NODE.kept
        return attributes, [
            tuple([getattr(node, name) for name in kept]) for node in self._in_order()
        ]

    def __setstate__(self, state: State) -> None:
        attributes, rows = state
        self.nodes = {}
        self._forget()
        self.__dict__.update(attributes)
        for row in rows:
            node = object.__new__(self._NODE)
            for name, each in zip(self._NODE.kept, row, strict=True):
                setattr(node, name, each)
            self.nodes[node.key] = cast("N", node)
        self._requeue()
