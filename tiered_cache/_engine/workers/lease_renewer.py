"""The thread that renews the leases of what is being computed."""

from __future__ import annotations

import itertools
import threading
import time
from typing import TYPE_CHECKING

from tiered_cache._engine.effects import OK
from tiered_cache._process.fork import call_in_child, fork_safe_lock
from tiered_cache.errors import TierUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache._engine.level import Level

__all__ = ["Renewer"]

_RENEWALS = 3
"""How often a lease is renewed in its lifetime: so that two in a row may fail."""

_IDLE_S = 5.0


class _Held:
    __slots__ = ("due_s", "key", "level", "lifetime_s")

    def __init__(self, level: Level, key: str, lifetime_s: float, due_s: float) -> None:
        self.level = level
        self.key = key
        self.lifetime_s = lifetime_s
        self.due_s = due_s


class Renewer:
    """Renews leases until they are dropped, in one daemon thread that ends when it is idle.

    Thread-safe; a forked child starts without leases: it does not compute what its parent does.

    Args:
        origin: Gives who this is, among all processes.
    """

    def __init__(self, origin: Callable[[], str]) -> None:
        self._origin = origin
        self._lock = fork_safe_lock()
        self._serials = itertools.count()
        self._start_empty()
        call_in_child(self._start_empty)

    def _start_empty(self) -> None:
        self._held: dict[str, _Held] = {}
        self._changed = threading.Condition(self._lock)
        self._wakes_s = -1.0
        self._runs = False
        self._closed = False

    def new_owner(self) -> str:
        """A name that no other request for a lease has, in any process, and that tells which."""
        return f"{self._origin()}:{next(self._serials)}"

    def hold(self, owner: str, level: Level, key: str, lifetime_s: float) -> None:
        """Renew a lease of `lifetime_s` seconds from now on."""
        due_s = time.monotonic() + lifetime_s / _RENEWALS
        with self._changed:
            if self._closed:
                return
            self._held[owner] = _Held(level, key, lifetime_s, due_s)
            starts = not self._runs
            self._runs = True
            if due_s < self._wakes_s:
                self._changed.notify()
        if starts:
            threading.Thread(target=self._work, name="tiered-cache-renewer", daemon=True).start()

    def drop(self, owner: str) -> None:
        """Renew a lease no longer."""
        with self._lock:
            self._held.pop(owner, None)

    def holds(self, owner: str) -> bool:
        """Whether a lease was not dropped, and was not found to be somebody else's."""
        return owner in self._held

    def _work(self) -> None:
        while due := self._wait():
            for owner, held in due:
                self._renew(owner, held)

    def _wait(self) -> list[tuple[str, _Held]]:
        """The leases that are to be renewed now; none when the thread is to end."""
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
            self._runs = False
            return []

    def _renew(self, owner: str, held: _Held) -> None:
        leases = held.level.leases
        if leases is None:
            return
        call = held.level.call
        lost = False
        try:
            reply = call("renew_lease", held.key, leases.renew, held.key, owner, held.lifetime_s)
            lost = reply.status == OK and not reply.value
        except TierUnavailableError:
            pass  # of a strict stack, whose callers are told by their own calls
        held.due_s = time.monotonic() + held.lifetime_s / _RENEWALS
        if lost:
            self.drop(owner)

    def close(self) -> None:
        """Renew nothing more."""
        with self._changed:
            self._closed = True
            self._held.clear()
            self._changed.notify_all()
