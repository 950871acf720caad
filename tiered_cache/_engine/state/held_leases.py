"""The leases that this process holds, and when each is to be renewed."""

from __future__ import annotations

import itertools
import threading
import time
from typing import TYPE_CHECKING, Generic, TypeVar

from tiered_cache._process.fork import call_in_child, fork_safe_lock

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["HeldLease", "HeldLeases"]

_RENEWALS = 3
"""Renewals in the lifetime of a lease: so that two in a row may fail."""

_IDLE_S = 5.0

TierT = TypeVar("TierT")


class HeldLease(Generic[TierT]):
    """One lease that is renewed.

    Attributes:
        tier: The tier that grants it.
        key: The key.
        lifetime_s: The seconds that each renewal asks for.
        due_s: The monotonic instant of the next renewal.
    """

    __slots__ = ("due_s", "key", "lifetime_s", "tier")

    def __init__(self, tier: TierT, key: str, lifetime_s: float) -> None:
        self.tier = tier
        self.key = key
        self.lifetime_s = lifetime_s
        self.postpone()

    def postpone(self) -> None:
        """Have the lease renewed after a third of its lifetime."""
        self.due_s = time.monotonic() + self.lifetime_s / _RENEWALS


class HeldLeases(Generic[TierT]):
    """The leases of one cache. Thread-safe.

    A forked child starts without any: it does not compute for its parent.

    Args:
        origin: Gives the name of this process and cache, unique among all.
    """

    def __init__(self, origin: Callable[[], str]) -> None:
        self._origin = origin
        self._lock = fork_safe_lock()
        self._serials = itertools.count()
        self._start_empty()
        call_in_child(self._start_empty)

    def _start_empty(self) -> None:
        self._held: dict[str, HeldLease[TierT]] = {}
        self._changed = threading.Condition(self._lock)
        self._wakes_s = -1.0
        self._is_watched = False
        self._closed = False

    def new_owner(self) -> str:
        """An owner's name that no other request for a lease has, in any process."""
        return f"{self._origin()}:{next(self._serials)}"

    def add(self, owner: str, tier: TierT, key: str, lifetime_s: float) -> bool:
        """Have a lease renewed from now on; whether a thread must be started for it."""
        held = HeldLease(tier, key, lifetime_s)
        with self._changed:
            if self._closed:
                return False
            self._held[owner] = held
            if held.due_s < self._wakes_s:
                self._changed.notify()
            starts = not self._is_watched
            self._is_watched = True
            return starts

    def drop(self, owner: str) -> None:
        """Stop renewing a lease."""
        with self._lock:
            self._held.pop(owner, None)

    def holds(self, owner: str) -> bool:
        """Whether a lease is still held: neither dropped nor lost to another owner."""
        return owner in self._held

    def await_due(self) -> list[tuple[str, HeldLease[TierT]]]:
        """Wait for leases that are due, for one thread; empty when the thread is to end."""
        with self._changed:
            idle_since_s = time.monotonic()
            while not self._closed:
                now_s = time.monotonic()
                due = [(owner, held) for owner, held in self._held.items() if held.due_s <= now_s]
                if due:
                    return due
                if self._held:
                    idle_since_s = now_s
                elif now_s - idle_since_s >= _IDLE_S:
                    break
                ends_s = idle_since_s + _IDLE_S
                self._wakes_s = min([held.due_s for held in self._held.values()], default=ends_s)
                self._changed.wait(self._wakes_s - now_s)
            self._is_watched = False
            return []

    def close(self) -> None:
        """Drop every lease and end the thread that renews them."""
        with self._changed:
            self._closed = True
            self._held.clear()
            self._changed.notify_all()
