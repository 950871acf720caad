"""The journal: queued changes on disk, until every tier has them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Container, Sequence
    from collections.abc import Set as AbstractSet

    from tiered_cache.results import JournalEntry

__all__ = ["Journal", "JournalRow"]


class JournalRow(NamedTuple):
    """One queued change.

    Attributes:
        serial: Its number in the journal; a later change of the same key has a higher one.
        key: The key.
        record: The bytes of the value; `None` for a deletion.
        as_of_s: The wall-clock instant of the change.
        tiers: The names of the tiers that still need it. A stack without one of them can't flush it.
        trouble: The reason why it is parked; `""` if it is not.
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
    """The store in which queued changes survive the process. Thread-safe.

    The engine guarantees that rows come from `write`, `take_parked` or `adopt` of the same journal.
    The implementer must answer within a deadline, and raise `JournalError` alone, when the disk
    fails.
    """

    def write(self, rows: Sequence[JournalRow]) -> list[JournalRow]:
        """Store changes, all or none, in place of earlier ones of their keys.

        They survive SIGKILL from the moment that the call returns.

        Returns:
            The rows with their numbers, in the same order.
        """
        ...

    def forget(self, rows: Sequence[JournalRow]) -> None:
        """Remove changes that every tier has. A change that has replaced one of them stays."""
        ...

    def park(self, row: JournalRow, trouble: str) -> None:
        """Take a change out of the queue because a tier keeps refusing it, and keep it for a retry.

        Args:
            row: The change.
            trouble: The reason; not empty.
        """
        ...

    def entries(self) -> list[JournalEntry]:
        """The changes that all processes of this host have in the journal of this cache."""
        ...

    def take_parked(
        self, tiers: AbstractSet[str], keys: Container[str] | None = None
    ) -> list[JournalRow]:
        """Move the parked changes of all processes to this one, no longer parked.

        Args:
            tiers: The tiers of this stack. A change that needs another tier stays parked.
            keys: The keys to move; `None` for all.
        """
        ...

    def drop_parked(self, tiers: AbstractSet[str], keys: Container[str] | None = None) -> int:
        """Remove the parked changes that `take_parked` would move. Returns their number."""
        ...

    def clear(self, prefix: str, as_of_s: float) -> None:
        """Remove the changes that a clear at `as_of_s` covers: those of `prefix` made until then.

        These are the changes of this process and of dead ones, and the parked changes of all.
        Queued clears stay.
        """
        ...

    def adopt(self, tiers: AbstractSet[str], most: float = math.inf) -> list[JournalRow]:
        """Move the changes of dead processes to this one, except parked ones.

        Args:
            tiers: The tiers of this stack. A change that needs another tier is left behind.
            most: After this many changes, no further dead process is looked at.
        """
        ...

    def size_bytes(self) -> int:
        """The size on disk of this process's part of the journal; 0 before its first change."""
        ...

    def close(self) -> None:
        """Release the journal. The changes in it are left for the next process to adopt."""
        ...
