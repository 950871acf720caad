"""Safety across `os.fork()`: what a busy parent holds must not lock its child up.

A child has only the thread that forked. A lock that another thread held stays locked in it for
ever, and a library whose global state another thread was changing (SQLite's, say) stays broken.
So a fork waits here until no thread is in such a place; the standard library's `logging` does the
same with its locks.
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

__all__ = ["ForkGate", "call_in_child", "fork_safe_lock"]

_WAIT_S = 5.0
"""A fork goes ahead after this time even if a thread is still busy: law 8, nothing hangs."""

_locks: weakref.WeakSet[threading.Lock] = weakref.WeakSet()
_gates: weakref.WeakSet[ForkGate] = weakref.WeakSet()
_child_calls: list[weakref.WeakMethod[Callable[[], None]]] = []
_held: list[threading.Lock] = []
_registry = threading.Lock()
"""Held while something is registered, and by a fork, which walks through all that is."""


def fork_safe_lock() -> threading.Lock:
    """A lock that a fork waits for, and that is free in the child.

    Only for leaf locks: whoever holds one must neither take another lock nor do I/O.
    """
    lock = threading.Lock()
    with _registry:
        _locks.add(lock)
    return lock


def call_in_child(method: Callable[[], None]) -> None:
    """Call the bound `method` in every forked child, as long as its object lives."""
    with _registry:
        _child_calls[:] = [ref for ref in _child_calls if ref() is not None]
        _child_calls.append(weakref.WeakMethod(method))


class ForkGate:
    """A region that no fork happens inside of, entered by any number of threads at once.

    Entering costs two attribute writes and a read: each thread marks itself busy and then looks
    whether a fork is waiting, the fork closes the gate and then looks for busy threads. One of
    the two always sees the other (Dekker's argument).
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
        """Be inside as a finalizer, which runs wherever a thread ends or garbage is collected.

        So it takes no lock that its thread may hold already.
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

    def close_for_fork(self, deadline: float) -> None:
        """Let nobody in, and wait until the other threads are out or `deadline` has come."""
        self._open.clear()
        self._closed_by = threading.get_ident()
        self._closed = True
        while self._is_busy():
            if time.monotonic() >= deadline:
                break
            time.sleep(0.0005)

    def reopen(self) -> None:
        """Let threads in again."""
        self._closed = False
        self._open.set()

    def forget_threads(self) -> None:
        """In the child: the other threads are gone, and so are their marks."""
        own = getattr(self._local, "mark", None)
        self._marks = weakref.WeakSet([own] if own is not None else [])
        self._finalizers = []
        self._open = threading.Event()
        self._open.set()
        self._closed = False


class _Mark:
    __slots__ = ("__weakref__", "depth")

    def __init__(self) -> None:
        self.depth = 0


def _before() -> None:
    deadline = time.monotonic() + _WAIT_S
    _hold(_registry, deadline)
    for gate in list(_gates):
        gate.close_for_fork(deadline)
    for lock in list(_locks):
        _hold(lock, deadline)


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
    for ref in _child_calls:
        method = ref()
        if method is not None:
            method()


os.register_at_fork(
    before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
)
