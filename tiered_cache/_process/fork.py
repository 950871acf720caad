"""Safety across `os.fork()`: a fork waits until no other thread holds a lock that the child needs.

A child has only the thread that forked. A lock held by another thread would stay locked in the
child for ever, and a library caught in a change of its global state, such as SQLite, would stay
broken. The standard library's `logging` guards its own locks in the same way.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ForkGate", "call_before_fork", "call_in_child", "fork_safe_lock"]

_log = logging.getLogger("tiered_cache")

_WAIT_S = 5.0
"""Longest wait of a fork for busy threads; then it goes ahead, because nothing may hang (law 8)."""

_PRUNE_EVERY = 500
"""Registrations of a hook between two removals of the hooks of dead objects."""

_locks: weakref.WeakSet[threading.Lock] = weakref.WeakSet()
_gates: weakref.WeakSet[ForkGate] = weakref.WeakSet()
_child_calls: list[weakref.WeakMethod[Callable[[], None]]] = []
_parent_calls: list[weakref.WeakMethod[Callable[[], None]]] = []
_held: list[threading.Lock] = []
"""The fork-safe locks that the fork under way has taken."""


class _Turn:
    """The turn of the fork under way.

    Attributes:
        lock: Guards the registries above; a fork holds it from its begin to its end. Reentrant: a
            signal handler of the thread that forks may use a gate for the first time.
        thread: The thread that forks; 0 for none.
        nested: Forks that this thread began meanwhile, in a hook or a signal handler.
    """

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Forget the fork, in the child: the lock may belong to a thread that is not there."""
        self.lock = threading.RLock()
        self.thread = 0
        self.nested = 0


_turn = _Turn()


def fork_safe_lock() -> threading.Lock:
    """A lock that a fork waits for, and that is free in the child.

    Use it for leaf locks only: the holder must neither take another lock nor do I/O.
    """
    lock = threading.Lock()
    with _turn.lock:
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
    with _turn.lock:
        if len(calls) % _PRUNE_EVERY == 0:
            calls[:] = [ref for ref in calls if ref() is not None]
        calls.append(weakref.WeakMethod(method))


class ForkGate:
    """A region during which no other thread can fork, entered by any number of threads at once.

    A thread enters by `with gate.own:`, again while it is inside, too. `own` is a lock that only this
    thread and a fork take: a fork takes those of all threads. Locks are taken and released in C, so
    that Ctrl-C can't leave a thread inside for ever.
    """

    def __init__(self) -> None:
        self._local = threading.local()
        self._threads: weakref.WeakSet[threading.RLock] = weakref.WeakSet()
        self._taken: list[threading.RLock] = []
        with _turn.lock:
            _gates.add(self)

    @property
    def own(self) -> threading.RLock:
        """The lock of the calling thread."""
        try:
            found: threading.RLock = self._local.lock
        except AttributeError:
            found = self._local.lock = threading.RLock()
            with _turn.lock:
                self._threads.add(found)
        return found

    def close_for_fork(self, deadline: float) -> bool:
        """Close the gate, and wait until the other threads have left it.

        Args:
            deadline: When to stop waiting, by `time.monotonic()`.

        Returns:
            Whether no thread is inside, this one included.
        """
        is_empty = not self.own._is_owned()  # type: ignore[attr-defined] # noqa: SLF001 - as `threading.Condition` does
        for lock in list(self._threads):
            if lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
                self._taken.append(lock)
            else:
                is_empty = False
        return is_empty

    def reopen(self) -> None:
        """Open the gate again, in the parent."""
        while self._taken:
            self._taken.pop().release()

    def forget_threads(self) -> None:
        """Open the gate in the child: its only thread makes a new lock."""
        self._local = threading.local()
        self._threads = weakref.WeakSet()
        self._taken = []


def _before() -> None:
    me = threading.get_ident()
    if _turn.thread == me:
        _turn.nested += 1
        return
    deadline = time.monotonic() + _WAIT_S
    if not _turn.lock.acquire(timeout=_WAIT_S):
        return  # another fork is stuck: this one goes ahead, and leaves the other's locks alone
    _turn.thread = me
    are_empty = [gate.close_for_fork(deadline) for gate in list(_gates)]
    _held.extend(
        lock for lock in list(_locks) if lock.acquire(timeout=max(0.0, deadline - time.monotonic()))
    )
    if all(are_empty):
        _run(_parent_calls)


def _run(calls: list[weakref.WeakMethod[Callable[[], None]]]) -> None:
    for ref in list(calls):
        method = ref()
        if method is None:
            continue
        try:
            method()
        except Exception:
            _log.exception("A fork hook failed: %r", method)


def _after_in_parent() -> None:
    if _turn.thread != threading.get_ident():
        return
    if _turn.nested:
        _turn.nested -= 1
        return
    for gate in list(_gates):
        gate.reopen()
    while _held:
        _held.pop().release()
    _turn.thread = 0
    _turn.lock.release()  # last: the next fork then closes the gates


def _after_in_child() -> None:
    _turn.renew()
    while _held:
        _held.pop().release()
    for gate in list(_gates):
        gate.forget_threads()
    _run(_child_calls)


os.register_at_fork(
    before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
)
