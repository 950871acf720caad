"""The thread that sweeps tiers: they remove expired items and the leftovers of dead processes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tiered_cache._engine.effects import OK
from tiered_cache.contracts import Reach
from tiered_cache.errors import TierUnavailableError

if TYPE_CHECKING:
    from tiered_cache._engine.level import Level
    from tiered_cache._engine.stack import Stack

__all__ = ["Sweeper"]

_FIRST_S = 1.0
"""Seconds before the first sweep: a short command has other things to do."""

_INTERVAL_S = 600.0
_DEADLINE_S = 10.0
_LEASE_KEY = "\0sweep"
"""No key of a cache: those are longer than one control character."""


class Sweeper:
    """Calls `Offers.sweep` of each tier that has it, at most once in ten minutes.

    The sweep of a shared tier takes a lease for these ten minutes and never gives it back, so that one
    process of many sweeps. A daemon thread of each process asks for it while the cache is open.

    Args:
        stack: The stack.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._levels = [level for level in stack.levels if level.offers.sweep is not None]
        self._closed = threading.Event()

    def start(self) -> None:
        """Start the thread, if a tier is to be swept."""
        if self._levels:
            threading.Thread(target=self._work, name="tiered-cache-sweeper", daemon=True).start()

    def _work(self) -> None:
        pause_s = _FIRST_S
        while not self._closed.wait(pause_s):
            for level in self._levels:
                try:
                    self.sweep(level)
                except TierUnavailableError:
                    pass  # reported, and raised in a strict stack: `strict` concerns callers
                except Exception as error:
                    report = f"Tier {level.name!r} can't be swept: {error!r}"
                    self._stack.faults.report(level.name, "sweep:answer", report)
            pause_s = _INTERVAL_S

    def sweep(self, level: Level) -> bool:
        """Sweep one tier, unless another process does; whether it was swept."""
        if level.offers.sweep is None or not self._is_ours(level):
            return False
        return level.call("sweep", None, level.offers.sweep, _DEADLINE_S).status == OK

    def _is_ours(self, level: Level) -> bool:
        if level.reach is Reach.PROCESS:
            return True
        if level.leases is None:
            return False
        owner = self._stack.leases.new_owner()
        acquire = level.leases.acquire
        reply = level.call("acquire_lease", None, acquire, _LEASE_KEY, owner, _INTERVAL_S)
        return reply.status == OK and reply.value.granted

    def close(self) -> None:
        """End the thread; a sweep under way goes on to its deadline."""
        self._closed.set()
