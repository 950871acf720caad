"""The change log of a disk tier, as other processes read it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tiered_cache.contracts.change_log import Change, ChangePage
from tiered_cache.tiers.disk._log_table import GENERATION

if TYPE_CHECKING:
    from tiered_cache.tiers.disk._log_table import LogTable
    from tiered_cache.tiers.disk._store import DiskStore

__all__ = ["DiskLog"]

_PAGE = 1000
_FIRST_PAUSE_S = 0.002
_LONGEST_PAUSE_S = 0.05

_SELECT = (
    "SELECT number, origin, key, is_prefix, made_s FROM TieredLog WHERE number >= ?"
    " ORDER BY number LIMIT ?"
)
_SELECT_LAST = "SELECT max(number) FROM TieredLog"
_GOES_ON = "SELECT max(number) > ? FROM TieredLog"


class DiskLog:
    """Implements `ChangeLog` on the database of a disk tier.

    Cost: a waiter polls a counter in shared memory, at least every 50 ms.

    Args:
        store: The tier's store.
        table: Its log tables.
    """

    def __init__(self, store: DiskStore, table: LogTable) -> None:
        self._store = store
        self._table = table

    @property
    def source(self) -> str:
        """The log's name: that of the directory."""
        return self._table.source

    def read(self, position: int | None) -> ChangePage:
        """The changes after `position`, 1000 at most."""
        with self._store.using("read_changes"):
            cache = self._store.current()
            if position is not None:
                rows = cache.sql(_SELECT, (position, _PAGE + 1)).fetchall()
                if rows and rows[0][0] == position:
                    page = _page(rows)
                    if any(change.is_prefix for change in page.changes):
                        # A clear changes the generation: a fill with the old one is refused.
                        self._table.generation = cache.fact(GENERATION)
                    return page
            self._table.generation = cache.fact(GENERATION)
            ((last,),) = cache.sql(_SELECT_LAST).fetchall()
            return ChangePage((), last or 0, complete=False)

    def wait(self, position: int, timeout_s: float) -> None:
        """Poll until another connection has changed the database since `position` was read."""
        ends_s = time.monotonic() + timeout_s
        pause_s = _FIRST_PAUSE_S
        version = None
        while True:
            with self._store.using("await_change"):
                cache = self._store.current()
                # Before the rows: the next poll then sees a change that comes in between.
                current = cache.data_version()
                if current != version and cache.sql(_GOES_ON, (position,)).fetchone()[0]:
                    return
            version = current
            left_s = ends_s - time.monotonic()
            if left_s <= 0:
                return
            time.sleep(min(pause_s, left_s))
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _page(rows: list[tuple[Any, ...]]) -> ChangePage:
    """A page of rows, the first of which the reader knows."""
    changes = [
        Change(origin, key.decode("utf-8", "surrogatepass"), bool(is_prefix), made_s)
        for _, origin, key, is_prefix, made_s in rows[1:]
    ]
    return ChangePage(changes, rows[-1][0], more=len(rows) > _PAGE)
