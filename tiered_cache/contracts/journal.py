"""The journal: queued changes on disk, until every tier has them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Container, Sequence
    from collections.abc import Set as AbstractSet

    from tiered_cache.results import JournalEntry

__all__ = [
    "Journal",
    "JournalRow",
]


class JournalRow(NamedTuple):
    """One change that is on disk until every tier has it.

    Attributes:
        serial: Its number in the journal; a later change of the same key has a higher one.
        key: The key.
        record: The bytes of the value; `None` for a deletion.
        as_of_s: When the change was made, wall clock.
        tiers: The names of the tiers that are to have it: a stack without one of them can't write
            it down.
        trouble: Why it is parked, `""` if it is not.
        clears: Whether it is a deletion of all keys that begin with `key`, which may be empty.
    """

    serial: int
    key: str
    record: bytes | None
    as_of_s: float
    tiers: frozenset[str]
    trouble: str = ""
    clears: bool = False


class Journal(Protocol):
    """Where queued changes survive the process. Thread-safe.

    Its methods raise `JournalError` when the disk can't serve, and answer within their deadline.
    """

    def write(self, rows: Sequence[JournalRow]) -> list[JournalRow]:
        """Write changes to disk, all or none, in place of earlier ones of their keys.

        Returns:
            The rows with their numbers, in the same order.
        """
        ...

    def forget(self, rows: Sequence[JournalRow]) -> None:
        """Remove changes that every tier has; those that were replaced meanwhile stay."""
        ...

    def park(self, row: JournalRow, trouble: str) -> None:
        """Keep a change that could not be written, for somebody to look at."""
        ...

    def entries(self) -> list[JournalEntry]:
        """What all processes of this host have journaled for this cache."""
        ...

    def take_parked(
        self, tiers: AbstractSet[str], keys: Container[str] | None = None
    ) -> list[JournalRow]:
        """Move what is parked for some of `tiers`, of all processes, here; park it no more."""
        ...

    def drop_parked(self, tiers: AbstractSet[str], keys: Container[str] | None = None) -> int:
        """Forget what is parked, of all processes; how many changes were."""
        ...

    def clear(self, prefix: str, as_of_s: float) -> None:
        """Forget the changes of keys that begin with `prefix` and are no later than `as_of_s`.

        Those of dead processes too, and what living ones have parked. Clears stay.
        """
        ...

    def adopt(self, tiers: AbstractSet[str], most: float = math.inf) -> list[JournalRow]:
        """The changes for some of `tiers` that dead processes left; they are this one's now.

        After `most`, no further process's are taken over.
        """
        ...

    def size_bytes(self) -> int:
        """The size on disk of what this process has journaled; 0 where it did not yet."""
        ...

    def close(self) -> None:
        """Let go of the journal; what is left in it is the next process's."""
        ...
