"""The tables of a disk tier's change log, beside its records in one database."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from tiered_cache.contracts.logged_keys import logged_change

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from tiered_cache.tiers.disk._database import BoundedCache

__all__ = ["GENERATION", "LogTable"]

_TRIM_EVERY = 64
_BYTES_PER_ROW = 16_384
_MIN_ROWS = 64
_MAX_ROWS = 10_000

_TABLES = (
    """CREATE TABLE IF NOT EXISTS TieredLog (
        number INTEGER PRIMARY KEY, origin, key, is_prefix, made_s
    )""",
    "CREATE TABLE IF NOT EXISTS TieredFacts (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
)
_INSERT_FIRST = "INSERT INTO TieredLog VALUES (?, '', x'', 0, NULL)"
_INSERT = "INSERT INTO TieredLog (origin, key, is_prefix, made_s) VALUES (?, ?, ?, ?)"
_TRIM = "DELETE FROM TieredLog WHERE number <= ?"
_SET_FACT = "INSERT OR REPLACE INTO TieredFacts VALUES (?, ?)"
GENERATION = "generation"
"""The fact that is the token of a key without a record or a tombstone."""


class LogTable:
    """Writes the change log, so that a change and its row are one transaction.

    The first row has the time as its number. A database that replaced another one thus lacks the
    row that a reader of the other saw last. The tables also hold the namespace's generation, a
    token that a clear changes and that a fill must still find, and the places up to which logs of
    other tiers have been applied.

    Cost: a row for each change. The oldest rows are deleted.

    Args:
        max_bytes: Most bytes of the tier. It keeps a row for each 16 KiB, 64 to 10,000 in all.
    """

    def __init__(self, max_bytes: int) -> None:
        self._rows = max(_MIN_ROWS, min(_MAX_ROWS, max_bytes // _BYTES_PER_ROW))
        self._origin: Callable[[], str] = str
        self.source = ""
        self.generation = b""
        """The generation as this process last read it: a fill that carries an old one is refused."""

    def open(self, origin: Callable[[], str]) -> None:
        """Take the origin of this process's changes, of `TierContext`."""
        self._origin = origin

    def prepare(self, cache: BoundedCache) -> None:
        """Create the tables of a database that has none."""
        self.source = f"disk:{cache.directory}"
        tables = cache.sql("SELECT name FROM sqlite_master").fetchall()
        if ("TieredFacts",) not in tables:
            with cache.transact():
                for statement in _TABLES:
                    cache.sql(statement)
                if not cache.sql("SELECT 1 FROM TieredLog LIMIT 1").fetchall():
                    # Not the injected clock: the number must differ from those of a predecessor.
                    cache.sql(_INSERT_FIRST, (time.time_ns() // 1000,))
                    self._set_generation(cache.sql)
        self.generation = cache.fact(GENERATION)

    def append(self, cache: BoundedCache, key: str, *, is_prefix: bool = False) -> None:
        """Add a change, in the transaction that makes it."""
        origin = self._origin()
        change = logged_change(origin, key, is_prefix=is_prefix)
        name = change.key.encode("utf-8", "surrogatepass")
        number = cache.sql(_INSERT, (origin, name, change.is_prefix, cache.wall())).lastrowid or 0
        if number % _TRIM_EVERY == 0:
            cache.sql(_TRIM, (number - self._rows,))

    def renew_generation(self, cache: BoundedCache) -> None:
        """Refuse fills that began before now; call it in a transaction."""
        self.generation = self._set_generation(cache.sql)

    def _set_generation(self, sql: Callable[..., sqlite3.Cursor]) -> bytes:
        generation = secrets.token_bytes(8)
        sql(_SET_FACT, (GENERATION, generation))
        return generation

    def place_in(self, cache: BoundedCache, source: str) -> int | None:
        """The position up to which the log called `source` has been applied to this database."""
        place = cache.fact(f"place:{source}")
        return None if place is None else int(place)

    def begin_place(self, cache: BoundedCache, source: str, position: int) -> int | None:
        """Set a place if there is none and no record either; call it in a transaction."""
        place = self.place_in(cache, source)
        if place is None and not cache.sql("SELECT 1 FROM Cache LIMIT 1").fetchall():
            self.renew_generation(cache)
            self.set_place(cache, source, position)
            return position
        # The process that began the place changed the generation.
        self.generation = cache.fact(GENERATION)
        return place

    def set_place(self, cache: BoundedCache, source: str, position: int) -> None:
        """Set a place."""
        cache.sql(_SET_FACT, (f"place:{source}", str(position)))
