"""Locks on keys, which threads wait for and tasks are told of."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["LOCK_WAIT_S", "Stripe", "Stripes"]

LOCK_WAIT_S = 10.0
"""How long a change waits for another one of its keys: law 8, nothing hangs."""

_STRIPES = 256


class Stripe:
    """The lock of some keys. Who must not block tries, and asks to be told when to try again."""

    __slots__ = ("lock", "tasks")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.tasks: deque[Callable[[], None]] = deque()

    def release(self) -> None:
        """Let the lock go, and tell the task that has waited longest."""
        self.lock.release()
        if self.tasks:
            self.tell_next()

    def when_free(self, call: Callable[[], None]) -> None:
        """Have `call` called once, from any thread, after a release. The lock may be taken again."""
        self.tasks.append(call)

    def forget(self, call: Callable[[], None]) -> None:
        """Call `call` no more; if it was called already, and in vain, tell the next one."""
        try:
            self.tasks.remove(call)
        except ValueError:
            self.tell_next()

    def tell_next(self) -> None:
        """Tell the task that has waited longest, if there is one."""
        try:
            call = self.tasks.popleft()
        except IndexError:
            return
        call()


class Stripes:
    """The locks of all keys of one cache: a few hundred, of which each key has one."""

    def __init__(self) -> None:
        self._all = [Stripe() for _ in range(_STRIPES)]

    def of(self, keys: Sequence[str]) -> list[Stripe]:
        """The locks of `keys`, in the order in which everybody takes them."""
        if len(keys) == 1:
            return [self._all[hash(keys[0]) % _STRIPES]]
        return [self._all[at] for at in sorted({hash(key) % _STRIPES for key in keys})]

    def all(self) -> list[Stripe]:
        """The locks of every key."""
        return self._all
