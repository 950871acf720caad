"""Leases: the right to compute a key, among processes and hosts that share a tier.

A lease saves work and is not needed for correctness: with no holder or with two, a fill still lands
only if its key is unchanged since the lookup.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

__all__ = ["LeaseAnswer", "Leases"]


class LeaseAnswer(NamedTuple):
    """The answer to a request for a lease.

    Attributes:
        granted: Whether the lease was granted.
        taken_over: Whether the lease of the last holder expired without a release. That holder may
            still compute, so the engine changes the tier's key, which refuses its late fill.
        ends_in_s: If not granted, seconds until the lease expires unless the holder renews it.
        seen: If not granted, the argument for `Leases.wait`. Opaque.
    """

    granted: bool
    taken_over: bool = False
    ends_in_s: float = 0.0
    seen: object = None


class Leases(Protocol):
    """The leases on a tier's keys, each with one holder. Thread-safe.

    The engine guarantees a new `owner` for each call of `acquire`. The implementer must:

    - raise the errors of a tier;
    - answer within a deadline, and `wait` within its timeout plus a deadline;
    - let leases expire by a clock that all processes and hosts of the tier share;
    - remember for at least an hour that a lease expired without a release.
    """

    def acquire(self, key: str, owner: str, lifetime_s: float) -> LeaseAnswer:
        """Request the lease of `key`. It is granted if it has no holder or has expired."""
        ...

    def renew(self, key: str, owner: str, lifetime_s: float) -> bool:
        """Extend the lease to `lifetime_s` seconds from now. Returns false if `owner` has lost it.

        An expired lease can be renewed until it is granted to another owner.
        """
        ...

    def release(self, key: str, owner: str) -> None:
        """Give the lease up and wake its waiters, if `owner` holds it."""
        ...

    def wait(self, key: str, seen: object, timeout_s: float) -> None:
        """Return when the lease was released or expired, or after `timeout_s` seconds.

        It may return early. It returns at once if the lease was released since `seen`.
        """
        ...
