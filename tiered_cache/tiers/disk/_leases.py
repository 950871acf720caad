"""The leases of a disk tier: a small SQLite database beside the tier's data."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tiered_cache._sqlite.database_file import DatabaseLayout, transaction
from tiered_cache._sqlite.side_database import SideDatabase
from tiered_cache.contracts.leases import LeaseAnswer
from tiered_cache.tiers.disk._tier_errors import tier_errors

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["DiskLeases"]

_LAYOUT = DatabaseLayout(
    "leases",
    """CREATE TABLE IF NOT EXISTS leases (
        key BLOB PRIMARY KEY,
        owner TEXT NOT NULL,
        began_s REAL NOT NULL,
        lifetime_s REAL NOT NULL
    ) WITHOUT ROWID""",
)
_REMEMBERED_S = 3600.0
_FIRST_PAUSE_S = 0.0005
_LONGEST_PAUSE_S = 0.01


class DiskLeases:
    """Implements `Leases` for the processes that share a directory.

    Leases expire by the monotonic clock, which all processes of a host share and no administrator
    sets. It restarts when the host does: a lease that began later than now is from before the
    restart, and has expired. The database is not durable: a loss of power may empty it.

    Cost: acquiring and releasing a free lease are two small transactions in the page cache. A
    waiter polls by one indexed read, at least every 10 ms.

    Args:
        timeout_s: Longest wait of a request for other threads, and again for other processes.
        tier: The tier's name, for errors.
    """

    def __init__(self, timeout_s: float, tier: str) -> None:
        self._database = SideDatabase(
            _LAYOUT,
            timeout_s,
            lambda: self._path,
            make_error=tier_errors(tier),
            on_open=self._remove_old,
        )

    def open(self, path: Path, monotonic: Callable[[], float]) -> None:
        """Take the database's path and the monotonic clock; the file is opened at the first use."""
        self._path = path
        self._monotonic = monotonic

    def _remove_old(self, database: sqlite3.Connection) -> None:
        with transaction(database):
            # The time inside the transaction: a lease granted while it waited for the lock would
            # seem to be from before a restart.
            now = self._monotonic()
            database.execute(
                "DELETE FROM leases WHERE began_s > ? OR began_s + lifetime_s < ?",
                (now, now - _REMEMBERED_S),
            )

    def acquire(self, key: str, owner: str, lifetime_s: float) -> LeaseAnswer:
        """Grant the lease of `key` if it is free or expired."""
        with self._database.use("acquire", key) as database:
            row = (_encode(key), owner, self._monotonic(), lifetime_s)
            inserted = database.execute("INSERT OR IGNORE INTO leases VALUES (?, ?, ?, ?)", row)
            if inserted.rowcount:
                return LeaseAnswer(granted=True)
            with transaction(database):
                left_s = self._left_s(database, key)
                if left_s is None or left_s <= 0:
                    database.execute("INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?)", row)
        if left_s is None or left_s <= 0:
            return LeaseAnswer(granted=True, taken_over=left_s is not None)
        return LeaseAnswer(granted=False, ends_in_s=left_s)

    def _left_s(self, database: sqlite3.Connection, key: str) -> float | None:
        """Seconds until a lease expires, 0.0 or fewer if it has; `None` if it has no holder."""
        row = database.execute(
            "SELECT began_s, lifetime_s FROM leases WHERE key = ?", (_encode(key),)
        ).fetchone()
        if row is None:
            return None
        began_s, lifetime_s = row
        now = self._monotonic()
        return 0.0 if began_s > now else float(began_s + lifetime_s - now)

    def renew(self, key: str, owner: str, lifetime_s: float) -> bool:
        """Extend the lease to `lifetime_s` seconds from now; false if `owner` no longer holds it."""
        with self._database.use("renew", key) as database:
            changed = database.execute(
                "UPDATE leases SET began_s = ?, lifetime_s = ? WHERE key = ? AND owner = ?",
                (self._monotonic(), lifetime_s, _encode(key), owner),
            )
            return bool(changed.rowcount)

    def release(self, key: str, owner: str) -> None:
        """Release the lease if `owner` holds it; a waiter sees that within 10 ms."""
        with self._database.use("release", key) as database:
            database.execute(
                "DELETE FROM leases WHERE key = ? AND owner = ?", (_encode(key), owner)
            )

    def wait(self, key: str, seen: object, timeout_s: float) -> None:
        """Poll until the lease was released or expired, for `timeout_s` seconds at most."""
        deadline = time.monotonic() + timeout_s
        pause_s = _FIRST_PAUSE_S
        while True:
            with self._database.use("wait", key) as database:
                left_s = self._left_s(database, key)
            now = time.monotonic()
            if left_s is None or left_s <= 0 or now >= deadline:
                return
            time.sleep(min(pause_s, deadline - now))
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 1.5)

    def close(self) -> None:
        """Close the connection; a later call opens another."""
        self._database.close()


def _encode(key: str) -> bytes:
    # SQLite's text can't hold surrogates, and a key may.
    return key.encode("utf-8", "surrogatepass")
