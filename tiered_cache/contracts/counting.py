"""Counting: the calls from which the statistics of a tier and of a cache are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache.results import LookupStatus

__all__ = ["Counting", "Recorder"]


class Recorder(Protocol):
    """The counters of one tier. `stats.snapshot` has the counting rules.

    The engine calls it once for each outcome, from any thread. The implementer must lose no count
    under threads, and must not raise.
    """

    def missed(self) -> object:
        """Count one miss that needed no call of the tier. Far cheaper than `looked_up`."""
        ...

    def looked_up(
        self, outcome: LookupStatus, seconds: float, size_bytes: int, saved_s: float
    ) -> None:
        """Count one lookup.

        Args:
            outcome: Its outcome in this tier.
            seconds: The seconds that the tier took; 0.0 if it was not called.
            size_bytes: The size of the record that was read.
            saved_s: The seconds saved.
        """
        ...

    def wrote(self, outcome: str, seconds: float, size_bytes: int) -> None:
        """Count one write.

        Args:
            outcome: `"writes"`, `"promotions"`, `"write_refusals"`, `"write_errors"` or `"deletes"`.
            seconds: The seconds that the tier took.
            size_bytes: The size of the record.
        """
        ...

    def count(self, counter: str) -> None:
        """Add one to `"corrupt"`, `"evictions"`, `"expirations"` or `"not_admitted"`."""
        ...


class Counting(Protocol):
    """The counters of a whole cache. `stats.snapshot` has the counting rules.

    The same guarantees and duties as for `Recorder`.
    """

    @property
    def times_serializing(self) -> bool:
        """Whether the engine should call `serialized`. Read once."""
        ...

    def hit(self, key: str, level: int, cost_s: float, seconds: float) -> None:
        """Count a lookup that found a fresh value. Inlined hits are counted elsewhere.

        Args:
            key: The key.
            level: The place of the tier that held the value, from 0.
            cost_s: The seconds that computing the value took.
            seconds: The seconds that reading it took.
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
        """Count a miss that shared the result of another caller's computation."""
        ...

    def waited(self) -> object:
        """Count a caller that waits for another caller's computation."""
        ...

    def serialized(self, seconds: float) -> None:
        """Count the seconds of encoding one value."""
        ...
