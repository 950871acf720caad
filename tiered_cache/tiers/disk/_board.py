"""A board for the processes of one host, in a small SQLite database beside the disk tier's data."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from typing import TYPE_CHECKING

from tiered_cache._process.fork import ForkGate, call_in_child
from tiered_cache.contracts.boards import MAX_NOTICE_BYTES, MAX_NOTICES, MAX_READ_BYTES, Notice
from tiered_cache.errors import RecordRefusedError, TierTimeoutError, TierUnavailableError
from tiered_cache.tiers.disk._side_files import discard_aside, open_aside

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from pathlib import Path

__all__ = ["DiskBoard"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS notices (
    name TEXT PRIMARY KEY,
    data BLOB NOT NULL,
    ends_s REAL NOT NULL
) WITHOUT ROWID"""
_LATER = 1e18
"""When what never runs out does: SQLite has no infinity."""


class DiskBoard:
    """Implements `Board` for processes that share a directory.

    The time is the wall clock. Nothing here has to survive a loss of power, so nothing is synced.

    Cost: each method is one small transaction in the page cache.

    Args:
        timeout_s: How long a request waits for other processes and threads.
        tier: The tier's name, for errors.
    """

    def __init__(self, timeout_s: float, tier: str) -> None:
        self._timeout_s = timeout_s
        self._tier = tier
        self._gate = ForkGate()
        self._turn = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._abandoned: list[object] = []
        call_in_child(self._abandon)

    def open(self, path: Path, wall: Callable[[], float]) -> None:
        """Say where the database is, which is made when it is first used, and what the time is."""
        self._path = path
        self._wall = wall

    def _abandon(self) -> None:
        # SQLite forbids even to close a connection that was inherited.
        self._abandoned.append(self._connection)
        self._connection = None
        self._turn = threading.RLock()

    @contextlib.contextmanager
    def _database(self, operation: str) -> Generator[sqlite3.Connection]:
        # Reentrant: an interruption can leave it taken, and must not shut out its own thread.
        turn = self._turn
        taken = False
        try:
            taken = turn.acquire(timeout=self._timeout_s)
            if not taken:
                msg = f"other threads used the board in {self._path} for {self._timeout_s:g} s"
                raise TierTimeoutError(msg, tier=self._tier, operation=operation)
            with self._failing(operation), self._gate:
                yield self._connection or self._open()
        finally:
            if taken:
                turn.release()

    @contextlib.contextmanager
    def _failing(self, operation: str) -> Generator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            self._start_over(error)
            msg = f"the board in {self._path} failed: {error}"
            kind = TierTimeoutError if "locked" in str(error) else TierUnavailableError
            raise kind(msg, tier=self._tier, operation=operation) from error

    @contextlib.contextmanager
    def _changing(self, operation: str) -> Generator[sqlite3.Connection]:
        with self._database(operation) as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")

    def _open(self) -> sqlite3.Connection:
        self._connection = open_aside(self._path, self._timeout_s, _SCHEMA)
        return self._connection

    def _start_over(self, error: Exception) -> None:
        """Leave the connection clean; and without the file, if that is damaged."""
        connection, self._connection = self._connection, None
        discard_aside(connection, self._path, error)

    def put(self, name: str, data: bytes, lifetime_s: float, *, new: bool = False) -> bool:
        """Hang up a notice, in one transaction."""
        self._check(data)
        ends_s = min(_LATER, self._wall() + lifetime_s)
        with self._database("put_notice") as database:
            if new:
                statement = "INSERT OR IGNORE INTO notices (data, ends_s, name) VALUES (?, ?, ?)"
            else:
                statement = "UPDATE notices SET data = ?, ends_s = ? WHERE name = ?"
            return bool(database.execute(statement, (data, ends_s, name)).rowcount)

    def _check(self, data: bytes) -> None:
        if len(data) > MAX_NOTICE_BYTES:
            msg = f"a notice has at most {MAX_NOTICE_BYTES} bytes, and this one {len(data)}"
            raise RecordRefusedError(msg, tier=self._tier, operation="put_notice")

    def read(self, prefix: str) -> Sequence[Notice]:
        """The notices whose names begin with `prefix`."""
        with self._database("read_notices") as database:
            cursor = database.execute(
                "SELECT name, data, ends_s FROM notices WHERE substr(name, 1, ?) = ?"
                " AND typeof(name) = 'text' AND typeof(data) = 'blob' AND length(data) <= ?"
                " AND typeof(ends_s) = 'real' ORDER BY name LIMIT ?",
                (len(prefix), prefix, MAX_NOTICE_BYTES, MAX_NOTICES),
            )
            now_s = self._wall()
            notices = []
            left = MAX_READ_BYTES
            for name, data, ends_s in cursor:
                left -= len(data)
                if left >= 0:
                    notices.append(Notice(name, data, ends_s - now_s))
        return notices

    def names(self, prefix: str) -> Sequence[str]:
        """The names that begin with `prefix`."""
        with self._database("read_notices") as database:
            rows = database.execute(
                "SELECT name FROM notices WHERE substr(name, 1, ?) = ? AND typeof(name) = 'text'"
                " LIMIT ?",
                (len(prefix), prefix, MAX_NOTICES),
            ).fetchall()
        return [name for (name,) in rows]

    def swap(self, old: Mapping[str, bytes], new: Mapping[str, bytes]) -> bool:
        """Replace some notices by others, if they are as expected, in one transaction."""
        for data in new.values():
            self._check(data)
        with self._changing("swap_notices") as database:
            for name in (*old, *[name for name in new if name not in old]):
                row = database.execute(
                    "SELECT data FROM notices WHERE name = ?", (name,)
                ).fetchone()
                if (row[0] if row else None) != old.get(name):
                    return False
            for name in old:
                database.execute("DELETE FROM notices WHERE name = ?", (name,))
            for name, data in new.items():
                database.execute(
                    "INSERT INTO notices (name, data, ends_s) VALUES (?, ?, ?)",
                    (name, data, _LATER),
                )
            return True

    def remove(self, names: Sequence[str]) -> None:
        """Take notices down, in one transaction."""
        with self._changing("remove_notices") as database:
            for name in names:
                database.execute("DELETE FROM notices WHERE name = ?", (name,))

    def close(self) -> None:
        """Close the connection; a later request makes another."""
        with self._gate, self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
