"""Entries in a queue from which each can be taken out wherever it stands: a ring of nodes."""

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
    """A node's place in a queue, a ring that is closed by a sentinel.

    Attributes:
        newer: The neighbour that was appended next; the newest's is the sentinel.
        older: The neighbour that was appended before; the oldest's is the sentinel.
    """

    __slots__ = ("newer", "older")

    newer: Self
    older: Self


def ring(kind: type[N]) -> N:
    """The sentinel of an empty queue: its `newer` is the oldest entry, its `older` the newest."""
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
    """Make `node`, which is in no queue, the newest of one."""
    node.newer = sentinel
    node.older = newest = sentinel.older
    newest.newer = sentinel.older = node


def dissolve(sentinel: QueueNode[Any, Any]) -> None:
    """Unlink everything: values go with their nodes, not when the cycles are collected."""
    node = sentinel.newer
    sentinel.newer = sentinel.older = sentinel
    while node is not sentinel:
        following = node.newer
        node.newer = node.older = sentinel
        node = following
