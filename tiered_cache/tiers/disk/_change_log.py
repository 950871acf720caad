"""The log of a disk tier's changes, in the tables beside its records."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

from tiered_cache.contracts.change_log import Change, ChangePage, logged

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tiered_cache.tiers.disk._database import BoundedCache

__all__ = ["DiskLog"]

_PAGE = 1000
_TRIM_EVERY = 64
_BYTES_PER_ROW = 16_384
_FIRST_PAUSE_S = 0.002
_LONGEST_PAUSE_S = 0.05

_TABLES = (
    """CREATE TABLE IF NOT EXISTS TieredLog (
        number INTEGER PRIMARY KEY, origin, key, is_prefix, made_s
    )""",
    "CREATE TABLE IF NOT EXISTS TieredFacts (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
)
_APPEND = "INSERT INTO TieredLog (origin, key, is_prefix, made_s) VALUES (?, ?, ?, ?)"
_GOES_ON = "SELECT max(number) > ? FROM TieredLog"
_FACT = "SELECT value FROM TieredFacts WHERE name = ?"
_SET_FACT = "INSERT OR REPLACE INTO TieredFacts VALUES (?, ?)"
_GENERATION = "generation"


class DiskLog:
    """Implements `ChangeLog` on the tier's own database, so that a change and its row are one.

    The first row has the time as its number: a database that took the place of another one does
    not have the row that a reader of the other saw last. It also keeps the namespace's generation,
    a number that a clear changes and that a fill must still find.

    Cost: a row a change. A waiter looks every 50 ms at most at a counter in shared memory.

    Args:
        store: Gives the open database.
        in_store: A context in which the database may be used, for an operation of that name.
        wall: The wall clock, which the processes of a host have in common.
        max_bytes: The most bytes of the tier: a small one keeps fewer rows, 64 at least.
    """

    def __init__(
        self,
        store: Callable[[], BoundedCache],
        in_store: Callable[[str], AbstractContextManager[None]],
        wall: Callable[[], float],
        max_bytes: int,
    ) -> None:
        self._store = store
        self._in_store = in_store
        self._wall = wall
        self._rows = max(64, min(10_000, max_bytes // _BYTES_PER_ROW))
        self.source = ""
        self.generation = b""

    def prepare(self, cache: BoundedCache) -> None:
        """Make the tables of a database that has none."""
        self.source = f"disk:{cache.directory}"
        sql = cache._sql
        names = {name for (name,) in sql("SELECT name FROM sqlite_master").fetchall()}
        if "TieredFacts" not in names:
            with cache.transact():
                for statement in _TABLES:
                    sql(statement)
                if not sql("SELECT 1 FROM TieredLog LIMIT 1").fetchall():
                    sql(
                        "INSERT INTO TieredLog VALUES (?, '', x'', 0, NULL)",
                        (time.time_ns() // 1000,),
                    )
                    self._renew_generation(sql)
        self.generation = self.read_generation(cache)

    def append(
        self, cache: BoundedCache, origin: str, key: str, *, is_prefix: bool = False
    ) -> None:
        """Add a change; inside of the transaction that makes it."""
        change = logged(origin, key, is_prefix=is_prefix)
        name = change.key.encode("utf-8", "surrogatepass")
        number = cache._sql(_APPEND, (origin, name, change.is_prefix, self._wall())).lastrowid
        if number % _TRIM_EVERY == 0:
            cache._sql("DELETE FROM TieredLog WHERE number <= ?", (number - self._rows,))

    def read_generation(self, cache: BoundedCache) -> bytes:
        """The token of a key for which there is neither a record nor a tombstone."""
        rows = cache._sql(_FACT, (_GENERATION,)).fetchall()
        return bytes(rows[0][0]) if rows else b""

    def renew_generation(self, cache: BoundedCache) -> None:
        """Refuse fills that began before now; inside of a transaction."""
        self.generation = self._renew_generation(cache._sql)

    def _renew_generation(self, sql: Callable[..., Any]) -> bytes:
        generation = secrets.token_bytes(8)
        sql(_SET_FACT, (_GENERATION, generation))
        return generation

    def read(self, position: int | None) -> ChangePage:
        """What changed after `position`."""
        with self._in_store("read_changes"):
            return self._read(position)

    def _read(self, position: int | None) -> ChangePage:
        sql = self._store()._sql
        if position is not None:
            rows = sql(
                "SELECT number, origin, key, is_prefix, made_s FROM TieredLog WHERE number >= ?"
                " ORDER BY number LIMIT ?",
                (position, _PAGE + 1),
            ).fetchall()
            if rows and rows[0][0] == position:
                changes = [
                    Change(origin, key.decode("utf-8", "surrogatepass"), bool(is_prefix), made_s)
                    for _, origin, key, is_prefix, made_s in rows[1:]
                ]
                if any(each.is_prefix for each in changes):
                    # Somebody may have cleared: the next fill need not be refused to know.
                    self.generation = self.read_generation(self._store())
                return ChangePage(changes, rows[-1][0], more=len(rows) > _PAGE)
        self.generation = self.read_generation(self._store())
        ((last,),) = sql("SELECT max(number) FROM TieredLog").fetchall()
        return ChangePage((), last or 0, complete=False)

    def wait(self, position: int, timeout_s: float) -> None:
        """Poll until somebody else has changed the database since it was read."""
        ends_s = time.monotonic() + timeout_s
        pause_s = _FIRST_PAUSE_S
        version = None
        while True:
            with self._in_store("await_change"):
                sql = self._store()._sql
                # Before the rows: what comes in between is then seen by the next look.
                current = sql("PRAGMA data_version").fetchone()
                if current != version and sql(_GOES_ON, (position,)).fetchone()[0]:
                    return
            version = current
            left_s = ends_s - time.monotonic()
            if left_s <= 0:
                return
            time.sleep(min(pause_s, left_s))
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def place_in(self, source: str) -> int | None:
        """The position in the log called `source` up to where it has been applied."""
        with self._in_store("place"):
            return self._place_in(self._store(), source)

    def _place_in(self, cache: BoundedCache, source: str) -> int | None:
        rows = cache._sql(_FACT, (f"place:{source}",)).fetchall()
        return int(rows[0][0]) if rows else None

    def begin_place(self, cache: BoundedCache, source: str, position: int) -> int | None:
        """Remember a position if there is none and no record either; inside of a transaction."""
        place = self._place_in(cache, source)
        if place is None and not cache._sql("SELECT 1 FROM Cache LIMIT 1").fetchall():
            self.renew_generation(cache)
            self.set_place(cache, source, position)
            return position
        # Whoever began it has changed the generation.
        self.generation = self.read_generation(cache)
        return place

    def set_place(self, cache: BoundedCache, source: str, position: int) -> None:
        """Remember a position."""
        cache._sql(_SET_FACT, (f"place:{source}", str(position)))
