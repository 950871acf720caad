"""The positions up to which the logs of other tiers have been applied to a disk tier."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiered_cache.tiers.disk._log_table import LogTable
    from tiered_cache.tiers.disk._store import DiskStore

__all__ = ["DiskPlaces"]


class DiskPlaces:
    """Implements `Places` on the database of a disk tier; each method is one transaction.

    Args:
        store: The tier's store.
        table: Its log tables.
    """

    def __init__(self, store: DiskStore, table: LogTable) -> None:
        self._store = store
        self._table = table

    def place_in(self, source: str) -> int | None:
        """The position applied last in the log `source`."""
        with self._store.using("place"):
            return self._table.place_in(self._store.current(), source)

    def begin_place(self, source: str, position: int) -> int | None:
        """Store `position` if the tier is empty and has no position in the log."""
        with self._store.writing("begin_place") as cache, cache.transact():
            return self._table.begin_place(cache, source, position)

    def set_place(self, source: str, position: int) -> None:
        """Replace the position in the log `source`."""
        with self._store.writing("set_place") as cache, cache.transact():
            self._table.set_place(cache, source, position)
