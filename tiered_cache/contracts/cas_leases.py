"""Leases for any tier that compares tokens."""

from __future__ import annotations

import hashlib
import math
import os
import time
from typing import TYPE_CHECKING

from tiered_cache.contracts.items import Absent, Put
from tiered_cache.contracts.leases import LeaseAnswer

if TYPE_CHECKING:
    from tiered_cache.contracts.items import Found
    from tiered_cache.contracts.tier import Tier, TierContext

__all__ = ["CasLeases"]

_REMEMBERED_S = 3600.0
"""Seconds for which an expired lease is remembered: its record lives so much longer."""

_RELEASED = b"\x00released"
_RELEASED_S = 1.0
"""Lifetime of the mark of a release. Its token makes the requests before it fail."""

_TRIES = 10
"""Attempts to acquire a lease that others acquire and release in between."""

_FIRST_PAUSE_S = 0.005
_LONGEST_PAUSE_S = 0.1


class CasLeases:
    """Implements `Leases` by compare-and-set on the records of a tier, in a namespace of their own.

    A lease is a record with its owner. It expires by the clock of the tier, which all processes
    share; where the tier keeps no time (`Found.remaining_s` is `inf`), by the wall clocks of the
    hosts. ::

        class MyTier(BaseTier[bytes]):
            def __init__(self, address):
                self._leases = CasLeases(MyStore(address))  # a tier without leases, over the same store
                self.offers = Offers(leases=self._leases)

            def open(self, context):
                self._leases.open(context)

            def close(self):
                self._leases.close()

    Thread-safe. Cost: two calls of the tier to acquire, renew or release. A waiter polls, every 5 ms
    at first and every 100 ms later, with jitter.

    Args:
        tier: Another tier over the same store, not yet open.
    """

    def __init__(self, tier: Tier[bytes]) -> None:
        self._tier = tier

    def open(self, context: TierContext) -> None:
        """Open the tier. Raises as `Tier.open` does."""
        # No cache has a namespace that begins with a dot.
        self._tier.open(context._replace(namespace=f".leases.{context.namespace}"))
        self._wall = context.clock.wall

    def close(self) -> None:
        """Close the tier."""
        self._tier.close()

    def acquire(self, key: str, owner: str, lifetime_s: float) -> LeaseAnswer:
        """Request the lease of `key`."""
        name = _name(key)
        for _ in range(_TRIES):
            found = self._tier.get(name)
            left_s = self._left_s(found)
            if left_s is not None and left_s > 0:
                return LeaseAnswer(granted=False, ends_in_s=left_s, seen=found.token)
            if self._put(name, owner, lifetime_s, found.token):
                return LeaseAnswer(granted=True, taken_over=left_s is not None)
        return LeaseAnswer(granted=False, ends_in_s=_LONGEST_PAUSE_S)

    def renew(self, key: str, owner: str, lifetime_s: float) -> bool:
        """Extend the lease, if `owner` has not lost it."""
        name = _name(key)
        found = self._tier.get(name)
        return self._is_of(found, owner) and self._put(name, owner, lifetime_s, found.token)

    def release(self, key: str, owner: str) -> None:
        """Give the lease up, if `owner` holds it."""
        name = _name(key)
        found = self._tier.get(name)
        if self._is_of(found, owner):
            self._tier.put(name, Put(_RELEASED, _RELEASED_S, found.token))

    def wait(self, key: str, seen: object, timeout_s: float) -> None:
        """Poll until the lease was released or expired, or its holder renewed it."""
        name = _name(key)
        deadline = time.monotonic() + timeout_s
        pause_s = _FIRST_PAUSE_S
        while True:
            found = self._tier.get(name)
            left_s = self._left_s(found)
            rest_s = deadline - time.monotonic()
            if left_s is None or left_s <= 0 or found.token != seen or rest_s <= 0:
                return
            jitter = 0.5 + os.urandom(1)[0] / 512
            time.sleep(min(pause_s * jitter, rest_s))
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _put(self, name: str, owner: str, lifetime_s: float, token: object) -> bool:
        record = f"{self._wall() + lifetime_s!r} {owner}".encode()
        return self._tier.put(name, Put(record, lifetime_s + _REMEMBERED_S, token))

    def _left_s(self, found: Found[bytes] | Absent) -> float | None:
        """Seconds until a lease expires; `None` if it has no holder."""
        if isinstance(found, Absent) or found.item == _RELEASED:
            return None
        if found.remaining_s < math.inf:
            return found.remaining_s - _REMEMBERED_S
        try:
            left_s = float(found.item.partition(b" ")[0]) - self._wall()
        except ValueError:  # foreign bytes
            return 0.0
        return left_s if math.isfinite(left_s) else 0.0

    def _is_of(self, found: Found[bytes] | Absent, owner: str) -> bool:
        if isinstance(found, Absent):
            return False
        return found.item.partition(b" ")[2] == owner.encode()


def _name(key: str) -> str:
    """The key of a lease's record: short, and text that every store takes."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
