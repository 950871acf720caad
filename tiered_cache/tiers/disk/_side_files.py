"""Small SQLite databases beside a disk tier's data, which need not survive a loss of power."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["discard_aside", "open_aside"]

_PAUSE_S = 0.005


class _Connection(sqlite3.Connection):
    """One that is closed with what it belongs to, without a complaint that nobody else closed it."""

    def __del__(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self.close()


def open_aside(path: Path, timeout_s: float, schema: str) -> sqlite3.Connection:
    """A connection, in autocommit mode and for any thread, to a database that is made if there is none.

    Raises:
        sqlite3.Error: It is locked for longer than `timeout_s`, read-only, or no database.
        OSError: Its directory can't be made.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    deadline_s = time.monotonic() + timeout_s
    while True:
        connection = sqlite3.connect(
            path,
            timeout=timeout_s,
            isolation_level=None,
            check_same_thread=False,
            factory=_Connection,
        )
        try:
            connection.execute("PRAGMA journal_mode = wal").fetchall()
            connection.execute("PRAGMA synchronous = off")
            connection.execute(schema)
        except BaseException as error:
            connection.close()
            # While others set up a new database too, SQLite does not always wait.
            locked = isinstance(error, sqlite3.OperationalError) and "locked" in str(error)
            if not locked or time.monotonic() > deadline_s:
                raise
            time.sleep(_PAUSE_S)
        else:
            return connection


def discard_aside(connection: sqlite3.Connection | None, path: Path, error: Exception) -> None:
    """Close a connection on which `error` came, and remove the database if that says it is damaged."""
    if connection is not None:
        with contextlib.suppress(sqlite3.Error):
            connection.close()
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
