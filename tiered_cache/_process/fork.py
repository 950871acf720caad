"""Safety across `os.fork()`: a fork waits until no other thread holds a lock that the child needs.

A child has only the thread that forked. A lock held by another thread would stay locked in the
child for ever, and a library caught in a change of its global state, such as SQLite, would stay
broken. The standard library's `logging` guards its own locks in the same way.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["ForkGate", "call_before_fork", "call_in_child", "fork_safe_lock"]

_WAIT_S = 5.0
"""Longest wait of a fork for busy threads; then it goes ahead, because nothing may hang (law 8)."""

_locks: weakref.WeakSet[threading.Lock] = weakref.WeakSet()
_gates: weakref.WeakSet[ForkGate] = weakref.WeakSet()
_child_calls: list[weakref.WeakMethod[Callable[[], None]]] = []
_parent_calls: list[weakref.WeakMethod[Callable[[], None]]] = []
_held: list[threading.Lock] = []
_registry = threading.Lock()
"""Guards the registries above. A fork holds it while it walks through them."""


def fork_safe_lock() -> threading.Lock:
    """A lock that a fork waits for, and that is free in the child.

    Use it for leaf locks only: the holder must neither take another lock nor do I/O.
    """
    lock = threading.Lock()
    with _registry:
        _locks.add(lock)
    return lock


def call_in_child(method: Callable[[], None]) -> None:
    """Register a fork hook: the bound `method` runs in every forked child while its object lives.

    The hooks run in the order of their registration, before `os.fork` returns in the child.
    """
    _register(_child_calls, method)


def call_before_fork(method: Callable[[], None]) -> None:
    """Register a fork hook: the bound `method` runs in the parent before it forks.

    No thread is inside a gate then. Where one can't leave its gate in time, or forks inside it, the
    hook is skipped.
    """
    _register(_parent_calls, method)


def _register(
    calls: list[weakref.WeakMethod[Callable[[], None]]], method: Callable[[], None]
) -> None:
    with _registry:
        calls[:] = [ref for ref in calls if ref() is not None]
        calls.append(weakref.WeakMethod(method))


class ForkGate:
    """A region during which no other thread can fork, entered by any number of threads at once.

    A thread may enter a gate again while it is inside. Entering costs two attribute writes and a
    read. Each thread marks itself busy, then checks for a waiting fork; the fork closes the gate,
    then checks for busy threads. One of the two always sees the other (Dekker's algorithm).
    """

    def __init__(self) -> None:
        self._open = threading.Event()
        self._open.set()
        self._closed = False
        self._local = threading.local()
        self._marks: weakref.WeakSet[_Mark] = weakref.WeakSet()
        self._finalizers: list[int] = []
        self._closed_by = 0
        with _registry:
            _gates.add(self)

    def __enter__(self) -> Self:
        try:
            mark: _Mark = self._local.mark
        except AttributeError:
            mark = self._local.mark = _Mark()
            with _registry:
                self._marks.add(mark)
        mark.depth += 1
        while self._closed and mark.depth == 1:
            mark.depth = 0
            self._open.wait(_WAIT_S)
            mark.depth = 1
        return self

    def __exit__(self, *_: object) -> None:
        self._local.mark.depth -= 1

    @contextlib.contextmanager
    def finalizing(self) -> Generator[None]:
        """Enter the gate from a finalizer.

        A finalizer can run at any step of a thread, so this takes no lock: the thread may hold it.
        """
        me = threading.get_ident()
        self._finalizers.append(me)
        while self._closed and self._closed_by != me:
            self._finalizers.remove(me)
            self._open.wait(_WAIT_S)
            self._finalizers.append(me)
        try:
            yield
        finally:
            self._finalizers.remove(me)

    def _is_busy(self) -> bool:
        own = getattr(self._local, "mark", None)
        return any(mark.depth and mark is not own for mark in list(self._marks)) or any(
            each != self._closed_by for each in list(self._finalizers)
        )

    def close_for_fork(self, deadline: float) -> bool:
        """Close the gate, and wait until the other threads have left it.

        Args:
            deadline: When to stop waiting, by `time.monotonic()`.

        Returns:
            Whether no thread is inside, this one included.
        """
        self._open.clear()
        self._closed_by = threading.get_ident()
        self._closed = True
        while self._is_busy():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.0005)
        own: _Mark | None = getattr(self._local, "mark", None)
        return (own is None or own.depth == 0) and not self._finalizers

    def reopen(self) -> None:
        """Open the gate again, in the parent."""
        self._closed = False
        self._open.set()

    def forget_threads(self) -> None:
        """Open the gate in the child, without the marks of threads that exist in the parent only."""
        own = getattr(self._local, "mark", None)
        self._marks = weakref.WeakSet([own] if own is not None else [])
        self._finalizers = []
        self._open = threading.Event()
        self._open.set()
        self._closed = False


class _Mark:
    """How many times one thread has entered a gate and not left it."""

    __slots__ = ("__weakref__", "depth")

    def __init__(self) -> None:
        self.depth = 0


def _before() -> None:
    deadline = time.monotonic() + _WAIT_S
    _hold(_registry, deadline)
    are_empty = [gate.close_for_fork(deadline) for gate in list(_gates)]
    for lock in list(_locks):
        _hold(lock, deadline)
    if all(are_empty):
        _run(_parent_calls)


def _run(calls: list[weakref.WeakMethod[Callable[[], None]]]) -> None:
    for ref in calls:
        method = ref()
        if method is not None:
            method()


def _hold(lock: threading.Lock, deadline: float) -> None:
    if lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
        _held.append(lock)


def _release() -> None:
    while _held:
        _held.pop().release()


def _after_in_parent() -> None:
    _release()
    for gate in list(_gates):
        gate.reopen()


def _after_in_child() -> None:
    _release()
    for gate in list(_gates):
        gate.forget_threads()
    _run(_child_calls)


os.register_at_fork(
    before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
)
