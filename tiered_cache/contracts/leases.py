"""Leases: how processes and hosts that share a tier agree on who computes a key.

A lease keeps others from computing what is being computed. Nothing is wrong without it, or with
two who believe that they hold it: a fill lands only where nothing changed since its lookup.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

__all__ = ["LeaseAnswer", "LeaseTier", "Leases"]


class LeaseAnswer(NamedTuple):
    """What came of asking for a lease.

    Attributes:
        granted: Whether it was.
        taken_over: Whether its last holder let it run out without giving it back, and may be at
            work still. What he fills must find the tier's key changed.
        ends_in_s: If it was not granted, seconds until the holder loses it unless he renews it.
        seen: If it was not granted, what `Leases.wait` is to be given.
    """

    granted: bool
    taken_over: bool = False
    ends_in_s: float = 0.0
    seen: object = None


class Leases(Protocol):
    """The leases on a tier's keys, one holder each. Thread-safe.

    The engine guarantees that no two requests give the same `owner`. The implementer raises what a
    tier raises, and keeps a deadline of its own, beyond the time that `wait` is told to wait. A
    lease runs out by a clock that all who share the tier have in common; it is remembered for at
    least an hour that it ran out.
    """

    def acquire(self, key: str, owner: str, lifetime_s: float) -> LeaseAnswer:
        """Ask for the lease of `key`; it is granted if nobody has it, or it ran out."""
        ...

    def renew(self, key: str, owner: str, lifetime_s: float) -> bool:
        """Have `lifetime_s` seconds from now; false if somebody else was given it meanwhile."""
        ...

    def release(self, key: str, owner: str) -> None:
        """Give the lease back, if `owner` still has it, and wake those who wait."""
        ...

    def wait(self, key: str, seen: object, timeout_s: float) -> None:
        """Return when the lease was given back or ran out, or after `timeout_s`; or before."""
        ...


@runtime_checkable
class LeaseTier(Protocol):
    """A tier whose users can take leases on its keys."""

    @property
    def leases(self) -> Leases:
        """The leases of this tier's namespace; usable once the tier is open."""
        ...
