"""A queue as a ring of nodes, with removal from any place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar

from tiered_cache_policies.eviction._visits import VisitNode

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["QueueNode", "append", "dissolve", "new", "ring", "walk"]

K = TypeVar("K")
V = TypeVar("V")
N = TypeVar("N", bound="QueueNode[Any, Any]")

new = object.__new__


class QueueNode(VisitNode[K, V]):
    """A node in a queue, which is a ring closed by a sentinel.

    Attributes:
        newer: The next appended neighbour; the sentinel for the newest node.
        older: The neighbour appended before; the sentinel for the oldest node.
    """

    __slots__ = ("newer", "older")

    newer: Self
    older: Self


def ring(kind: type[N]) -> N:
    """The sentinel of an empty queue. Its `newer` is the oldest node, its `older` the newest."""
    sentinel: N = new(kind)
    sentinel.newer = sentinel.older = sentinel
    return sentinel


def walk(sentinel: N) -> Iterator[N]:
    """The nodes of a queue, oldest first."""
    node = sentinel.newer
    while node is not sentinel:
        yield node
        node = node.newer


def append(node: N, sentinel: N) -> None:
    """Append `node`, which is in no queue, to the queue of `sentinel`."""
    node.newer = sentinel
    node.older = newest = sentinel.older
    newest.newer = sentinel.older = node


def dissolve(sentinel: QueueNode[Any, Any]) -> None:
    """Unlink every node, so that values are freed now and not by the garbage collector."""
    node = sentinel.newer
    sentinel.newer = sentinel.older = sentinel
    while node is not sentinel:
        following = node.newer
        node.newer = node.older = sentinel
        node = following
