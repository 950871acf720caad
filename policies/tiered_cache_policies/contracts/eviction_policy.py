"""The contract of eviction policies, and two abilities that a policy may have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["CostAware", "EvictionPolicy", "LockFreeReads", "Node"]


class EvictionPolicy(Protocol):
    """A bounded mapping that decides which entry to evict; any `cachetools.Cache` is one.

    The caller guarantees: one thread at a time (except for readers of a policy that is also
    `LockFreeReads`), and string keys. The implementer must keep `currsize <= maxsize` after every
    operation, and raise `KeyError` for an absent key. It must evict only through `popitem()` of the
    same object, so that a caller that replaces this attribute sees every eviction.
    """

    @property
    def maxsize(self) -> float:
        """The largest `currsize`, in the unit of `getsizeof`."""
        ...

    @property
    def currsize(self) -> float:
        """The size of all entries, in the unit of `getsizeof`."""
        ...

    def __getitem__(self, key: str, /) -> Any: ...
    def __setitem__(self, key: str, value: Any, /) -> None: ...
    def __delitem__(self, key: str, /) -> None: ...
    def __contains__(self, key: object, /) -> bool: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...

    def popitem(self) -> tuple[str, Any]:
        """Remove and return the next entry to evict."""
        ...

    def clear(self) -> None:
        """Remove everything."""
        ...


@runtime_checkable
class CostAware(Protocol):
    """An eviction policy that weighs the costs of entries.

    A memory tier replaces `getcost` by a function that returns the measured seconds of an entry.
    """

    getcost: Callable[[Any], float]


class Node(Protocol):
    """The state of one key in a lock-free policy.

    Attributes:
        value: The value.
        visits: The reads that the policy has not seen yet; readers add to it.
        total_visits: The reads before those.
    """

    value: Any
    visits: int
    total_visits: int


@runtime_checkable
class LockFreeReads(Protocol):
    """An eviction policy with hits that need no lock: a hit only adds to the node's `visits`.

    The caller guarantees: it only looks nodes up and adds to `visits`. Under threads an increment
    may be lost, so the implementer must treat `visits` as a hint. The implementer must return the
    same mapping object for its whole life, `clear()` included.
    """

    @property
    def nodes(self) -> Mapping[str, Node]:
        """The nodes by key, live."""
        ...
