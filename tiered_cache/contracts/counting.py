"""Counting: the events of a tier and of a cache that statistics are made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache.results import LookupStatus

__all__ = [
    "Counting",
    "Recorder",
]


class Recorder(Protocol):
    """Counts what one tier does; exact under threads. The rules are in `stats.snapshot`."""

    def missed(self) -> object:
        """Count one miss that was seen without a call of the tier. Far cheaper than `looked_up`."""
        ...

    def looked_up(
        self, outcome: LookupStatus, seconds: float, size_bytes: int, saved_s: float
    ) -> None:
        """Count one lookup.

        Args:
            outcome: How it ended in this tier.
            seconds: How long the tier took; 0.0 where it was not called.
            size_bytes: The size of the record that was read.
            saved_s: The computing seconds that it made unnecessary.
        """
        ...

    def wrote(self, outcome: str, seconds: float, size_bytes: int) -> None:
        """Count one write: `writes`, `promotions`, `write_refusals`, `write_errors` or `deletes`."""
        ...

    def count(self, counter: str) -> None:
        """Add one to `corrupt`, `evictions`, `expirations` or `not_admitted`."""
        ...


class Counting(Protocol):
    """Counts what a cache does as a whole; exact under threads. The rules are in `stats.snapshot`."""

    @property
    def times_serializing(self) -> bool:
        """Whether `serialized` wants to be told. Read once."""
        ...

    def hit(self, key: str, level: int, cost_s: float, seconds: float) -> None:
        """Count a lookup that found a fresh value, other than an inlined hit.

        Args:
            key: The key.
            level: The place of the tier that held it.
            cost_s: The seconds that computing the value took.
            seconds: Those that reading it took.
        """
        ...

    def stale_hit(self, key: str, level: int) -> None:
        """Count a lookup that found a stale value, in the tier at the place `level`."""
        ...

    def miss(self, key: str) -> None:
        """Count a lookup that found nothing."""
        ...

    def computed(self, seconds: float, failed: bool, keys: Sequence[str] = ()) -> None:
        """Count one computation, of all of `keys`."""
        ...

    def coalesced(self) -> object:
        """Count a miss that took the outcome of a computation that was under way."""
        ...

    def waited(self) -> object:
        """Count that a caller waits for a computation of another one."""
        ...

    def serialized(self, seconds: float) -> None:
        """Count the time of turning a value into a record."""
        ...
