"""The thread that renews the leases of computations under way."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tiered_cache._engine.effects import OK
from tiered_cache.errors import TierUnavailableError

if TYPE_CHECKING:
    from tiered_cache._engine.level import Level
    from tiered_cache._engine.state.held_leases import HeldLease, HeldLeases

__all__ = ["LeaseRenewer"]


class LeaseRenewer:
    """Renews leases until they are dropped, in one daemon thread that ends when it is idle.

    Thread-safe.

    Args:
        leases: The leases.
    """

    def __init__(self, leases: HeldLeases[Level]) -> None:
        self._leases = leases

    def start(self) -> None:
        """Start the thread; `HeldLeases.add` tells when."""
        threading.Thread(target=self._work, name="tiered-cache-renewer", daemon=True).start()

    def _work(self) -> None:
        while due := self._leases.await_due():
            for owner, held in due:
                self._renew(owner, held)

    def _renew(self, owner: str, held: HeldLease[Level]) -> None:
        level, key = held.tier, held.key
        if level.leases is None:
            return
        lost = False
        try:
            renew = level.leases.renew
            reply = level.call("renew_lease", key, renew, key, owner, held.lifetime_s)
            lost = reply.status == OK and not reply.value
        except TierUnavailableError:
            pass  # raised in a strict stack; its callers get the errors of their own calls
        held.postpone()
        if lost:
            self._leases.drop(owner)
