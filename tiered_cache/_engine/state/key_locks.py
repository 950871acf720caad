"""Locks on keys, for threads that block and tasks that must not."""

from __future__ import annotations

import threading
from collections import deque
from contextvars import ContextVar
from typing import TYPE_CHECKING

from tiered_cache._process.fork import call_in_child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["LOCK_WAIT_S", "KeyLocks", "Stripe", "changing", "release_all"]

LOCK_WAIT_S = 10.0
"""Seconds that a change waits for another change of its keys: law 8, nothing hangs."""

_STRIPES = 256


class Stripe:
    """The lock of some keys. A task tries it, and asks for a call when to try again."""

    __slots__ = ("lock", "tasks")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.tasks: deque[Callable[[], None]] = deque()

    def release(self) -> None:
        """Release the lock and call the task that has waited longest."""
        self.lock.release()
        if self.tasks:
            self.call_next()

    def when_free(self, call: Callable[[], None]) -> None:
        """Call `call` once, from any thread, after a release. The lock may be taken again by then."""
        self.tasks.append(call)

    def forget(self, call: Callable[[], None]) -> None:
        """Withdraw `call`. If it was called already, the turn passes to the next task."""
        try:
            self.tasks.remove(call)
        except ValueError:
            self.call_next()

    def call_next(self) -> None:
        """Call the task that has waited longest, if there is one."""
        try:
            call = self.tasks.popleft()
        except IndexError:
            return
        call()


class KeyLocks:
    """The locks of all keys of one cache: 256 stripes, one for each key.

    They serialise the changes of a key within the process. Without them, two writers could leave
    different values in different tiers. They are held over I/O, which has its own deadlines.
    Thread-safe; a forked child starts with free locks.

    Args:
        timed_out: Called when a change goes ahead without a lock that it waited for in vain.
    """

    def __init__(self, timed_out: Callable[[], object]) -> None:
        self.timed_out = timed_out
        self._free_all()
        call_in_child(self._free_all)

    def _free_all(self) -> None:
        self._all = [Stripe() for _ in range(_STRIPES)]

    def of(self, keys: Sequence[str]) -> list[Stripe]:
        """The stripes of `keys`, in the one order in which every change takes them."""
        if len(keys) == 1:
            return [self._all[hash(keys[0]) % _STRIPES]]
        return [self._all[at] for at in sorted({hash(key) % _STRIPES for key in keys})]

    def begin_change(self, keys: Sequence[str], held: list[Stripe]) -> None:
        """Take the locks of `keys` and mark the calling thread as changing.

        A lock that is not free within 10 seconds is left out: the change goes ahead without it.

        Args:
            keys: The keys.
            held: Receives the stripes, for the caller to release; also if this is interrupted.
        """
        self.enter_change()
        for stripe in self.of(keys):
            if stripe.lock.acquire(timeout=LOCK_WAIT_S):
                held.append(stripe)
            else:
                self.timed_out()

    def enter_change(self) -> None:
        """Mark the calling thread or task as changing, until the caller resets `changing`."""
        changing.set((*changing.get(), self))

    def is_changing(self) -> bool:
        """Whether the calling thread or task is in the middle of a change."""
        return self in changing.get()

    def hold(self, keys: Sequence[str], *, all_keys: bool) -> list[Stripe] | None:
        """Take the locks of `keys`, or of all; `None`, and none held, if one is not free in time."""
        held: list[Stripe] = []
        for stripe in self._all if all_keys else self.of(keys):
            if not stripe.lock.acquire(timeout=LOCK_WAIT_S):
                release_all(held)
                return None
            held.append(stripe)
        return held


def release_all(held: Iterable[Stripe]) -> None:
    """Release stripes."""
    for stripe in held:
        stripe.release()


changing: ContextVar[tuple[KeyLocks, ...]] = ContextVar("tiered_cache_changing", default=())
"""The caches, by their locks, in which the calling thread or task changes something."""
