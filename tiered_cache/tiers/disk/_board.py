"""The board of a disk tier: a small SQLite database beside the tier's data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache._sqlite.database_file import DatabaseLayout
from tiered_cache._sqlite.side_database import SideDatabase
from tiered_cache.contracts.boards import (
    MAX_NOTICE_BYTES,
    MAX_NOTICES,
    MAX_READ_BYTES,
    Notice,
    check_notice,
)
from tiered_cache.tiers.disk._tier_errors import tier_errors

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

__all__ = ["DiskBoard"]

_LAYOUT = DatabaseLayout(
    "board",
    """CREATE TABLE IF NOT EXISTS notices (
        name TEXT PRIMARY KEY,
        data BLOB NOT NULL,
        ends_s REAL NOT NULL
    ) WITHOUT ROWID""",
)
_INSERT = "INSERT OR IGNORE INTO notices (data, ends_s, name) VALUES (?, ?, ?)"
_UPDATE = "UPDATE notices SET data = ?, ends_s = ? WHERE name = ?"
_SELECT = """SELECT name, data, ends_s FROM notices WHERE substr(name, 1, ?) = ?
    AND typeof(name) = 'text' AND typeof(data) = 'blob' AND length(data) <= ?
    AND typeof(ends_s) = 'real' ORDER BY name LIMIT ?"""
_SELECT_NAMES = """SELECT name FROM notices WHERE substr(name, 1, ?) = ?
    AND typeof(name) = 'text' LIMIT ?"""
_SELECT_DATA = "SELECT data FROM notices WHERE name = ?"
_DELETE = "DELETE FROM notices WHERE name = ?"
_LATEST_S = 1e18
"""Stands for infinity, which is not a number in SQLite."""


class DiskBoard:
    """Implements `Board` for the processes that share a directory.

    Notices expire by the wall clock. The database is not durable: a loss of power may empty it.

    Cost: each method is one small transaction in the page cache.

    Args:
        timeout_s: Longest wait for other threads, and again for other processes.
        tier: The tier's name, for errors.
    """

    def __init__(self, timeout_s: float, tier: str) -> None:
        self._tier = tier
        self._database = SideDatabase(
            _LAYOUT, timeout_s, lambda: self._path, make_error=tier_errors(tier)
        )

    def open(self, path: Path, wall: Callable[[], float]) -> None:
        """Take the database's path and the wall clock; the file is opened at the first use."""
        self._path = path
        self._wall = wall

    def put(self, name: str, data: bytes, lifetime_s: float, *, new: bool = False) -> bool:
        """Store a notice, in one transaction."""
        check_notice(data, self._tier)
        ends_s = min(_LATEST_S, self._wall() + lifetime_s)
        with self._database.use("put_notice") as database:
            changed = database.execute(_INSERT if new else _UPDATE, (data, ends_s, name))
            return bool(changed.rowcount)

    def read(self, prefix: str) -> Sequence[Notice]:
        """The notices whose names begin with `prefix`."""
        limits = (len(prefix), prefix, MAX_NOTICE_BYTES, MAX_NOTICES)
        notices = []
        left_bytes = MAX_READ_BYTES
        with self._database.use("read_notices") as database:
            cursor = database.execute(_SELECT, limits)
            now_s = self._wall()
            for name, data, ends_s in cursor:
                left_bytes -= len(data)
                if left_bytes >= 0:
                    notices.append(Notice(name, data, ends_s - now_s))
        return notices

    def names(self, prefix: str) -> Sequence[str]:
        """The names that begin with `prefix`."""
        with self._database.use("read_notices") as database:
            rows = database.execute(_SELECT_NAMES, (len(prefix), prefix, MAX_NOTICES)).fetchall()
        return [name for (name,) in rows]

    def swap(self, old: Mapping[str, bytes], new: Mapping[str, bytes]) -> bool:
        """Replace the notices `old` by `new` if they are unchanged, in one transaction."""
        for data in new.values():
            check_notice(data, self._tier)
        with self._database.change("swap_notices") as database:
            if any(_data(database, name) != old.get(name) for name in {**old, **new}):
                return False
            database.executemany(_DELETE, [(name,) for name in old])
            database.executemany(_INSERT, [(data, _LATEST_S, name) for name, data in new.items()])
        return True

    def remove(self, names: Sequence[str]) -> None:
        """Remove notices, in one transaction."""
        with self._database.change("remove_notices") as database:
            database.executemany(_DELETE, [(name,) for name in names])

    def close(self) -> None:
        """Close the connection; a later call opens another."""
        self._database.close()


def _data(database: sqlite3.Connection, name: str) -> bytes | None:
    row = database.execute(_SELECT_DATA, (name,)).fetchone()
    return row[0] if row else None
