"""Leases for the processes of one host, in a small SQLite database beside the disk tier's data."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from typing import TYPE_CHECKING

from tiered_cache._process.fork import ForkGate, call_in_child
from tiered_cache.contracts.leases import LeaseAnswer
from tiered_cache.errors import TierTimeoutError, TierUnavailableError
from tiered_cache.tiers.disk._database import identity
from tiered_cache.tiers.disk._side_files import discard_aside, open_aside

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

__all__ = ["DiskLeases"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS leases (
    key BLOB PRIMARY KEY,
    owner TEXT NOT NULL,
    began_s REAL NOT NULL,
    lifetime_s REAL NOT NULL
) WITHOUT ROWID"""
_REMEMBERED_S = 3600.0
_FIRST_PAUSE_S = 0.0005
_LONGEST_PAUSE_S = 0.01


class DiskLeases:
    """Implements `Leases` for processes that share a directory.

    The time is the monotonic clock, which all processes of a host have in common and nobody sets.
    It begins anew when the host starts: a lease that began later than now is one of before that,
    and has run out. Nothing here has to survive a loss of power, so nothing is synced.

    Cost: taking and giving back a free lease are two small transactions in the page cache. A
    waiter polls by one indexed read, every 10 ms at most.

    Args:
        timeout_s: How long a request waits for other processes and threads.
        tier: The tier's name, for errors.
    """

    def __init__(self, timeout_s: float, tier: str) -> None:
        self._timeout_s = timeout_s
        self._tier = tier
        self._gate = ForkGate()
        self._turn = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._opened_file: tuple[int, int] | None = None
        self._abandoned: list[object] = []
        call_in_child(self._abandon)

    def open(self, path: Path, monotonic: Callable[[], float]) -> None:
        """Say where the database is, which is made when it is first used, and what the time is."""
        self._path = path
        self._monotonic = monotonic

    def _abandon(self) -> None:
        # SQLite forbids even to close a connection that was inherited.
        self._abandoned.append(self._connection)
        self._connection = None
        self._turn = threading.Lock()

    @contextlib.contextmanager
    def _database(self, operation: str, key: str) -> Generator[sqlite3.Connection]:
        details = {"tier": self._tier, "operation": operation, "key": key}
        turn = self._turn
        if not turn.acquire(timeout=self._timeout_s):
            msg = f"other threads used the leases in {self._path} for {self._timeout_s:g} s"
            raise TierTimeoutError(msg, **details)
        try:
            with self._gate:
                yield self._current()
        except (sqlite3.Error, OSError) as error:
            self._start_over(error)
            msg = f"the leases in {self._path} failed: {error}"
            kind = TierTimeoutError if "locked" in str(error) else TierUnavailableError
            raise kind(msg, **details) from error
        finally:
            turn.release()

    def _current(self) -> sqlite3.Connection:
        connection = self._connection
        if connection is not None and identity(self._path) != self._opened_file:
            connection.close()  # of a file that was removed, which nobody else sees
            connection = None
        return connection or self._open()

    def _open(self) -> sqlite3.Connection:
        connection = open_aside(self._path, self._timeout_s, _SCHEMA)
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Not before: what others were granted while this waited would be of the future.
            now = self._monotonic()
            connection.execute(
                "DELETE FROM leases WHERE began_s > ? OR began_s + lifetime_s < ?",
                (now, now - _REMEMBERED_S),
            )
        finally:
            connection.execute("COMMIT")
        self._connection = connection
        self._opened_file = identity(self._path)
        return connection

    def _start_over(self, error: Exception) -> None:
        """Leave the connection clean; and without the file, if that is damaged."""
        connection, self._connection = self._connection, None
        discard_aside(connection, self._path, error)

    def acquire(self, key: str, owner: str, lifetime_s: float) -> LeaseAnswer:
        """Ask for the lease of `key`."""
        with self._database("acquire", key) as database:
            now = self._monotonic()
            row = (_bytes_of(key), owner, now, lifetime_s)
            taken = database.execute("INSERT OR IGNORE INTO leases VALUES (?, ?, ?, ?)", row)
            if taken.rowcount:
                return LeaseAnswer(granted=True)
            database.execute("BEGIN IMMEDIATE")
            try:
                left_s = self._left_s(database, key)
                if left_s is None or left_s <= 0:
                    database.execute("INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?)", row)
            finally:
                database.execute("COMMIT")
        if left_s is None or left_s <= 0:
            return LeaseAnswer(granted=True, taken_over=left_s is not None)
        return LeaseAnswer(granted=False, ends_in_s=left_s)

    def _left_s(self, database: sqlite3.Connection, key: str) -> float | None:
        """Seconds until a lease runs out, none or fewer if it has; `None` if nobody has it."""
        row = database.execute(
            "SELECT began_s, lifetime_s FROM leases WHERE key = ?", (_bytes_of(key),)
        ).fetchone()
        if row is None:
            return None
        began_s, lifetime_s = row
        now = self._monotonic()
        return 0.0 if began_s > now else float(began_s + lifetime_s - now)

    def renew(self, key: str, owner: str, lifetime_s: float) -> bool:
        """Have `lifetime_s` seconds from now; false if somebody else was given the lease."""
        with self._database("renew", key) as database:
            changed = database.execute(
                "UPDATE leases SET began_s = ?, lifetime_s = ? WHERE key = ? AND owner = ?",
                (self._monotonic(), lifetime_s, _bytes_of(key), owner),
            )
            return bool(changed.rowcount)

    def release(self, key: str, owner: str) -> None:
        """Give the lease back; who waits sees it within 10 ms."""
        with self._database("release", key) as database:
            whose = (_bytes_of(key), owner)
            database.execute("DELETE FROM leases WHERE key = ? AND owner = ?", whose)

    def wait(self, key: str, seen: object, timeout_s: float) -> None:
        """Poll until the lease was given back or ran out, or `timeout_s` is over."""
        deadline = time.monotonic() + timeout_s
        pause_s = _FIRST_PAUSE_S
        while True:
            with self._database("wait", key) as database:
                left_s = self._left_s(database, key)
            now = time.monotonic()
            if left_s is None or left_s <= 0 or now >= deadline:
                return
            time.sleep(min(pause_s, deadline - now))
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 1.5)

    def close(self) -> None:
        """Close the connection; a later request makes another."""
        with self._gate, self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


def _bytes_of(key: str) -> bytes:
    # Not every key is text that SQLite takes.
    return key.encode("utf-8", "surrogatepass")
