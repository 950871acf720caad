"""Inspection of a database before `diskcache` opens it."""

from __future__ import annotations

import contextlib
import os
import sqlite3

from diskcache.core import DBNAME, DEFAULT_SETTINGS, METADATA

from tiered_cache.errors import CorruptRecordError

__all__ = ["inspect_database", "is_ours"]

_KNOWN_SETTINGS = {*DEFAULT_SETTINGS, *METADATA, "disk_max_value_bytes", "tag_index"}


def inspect_database(directory: str, timeout_s: float) -> None:
    """Create the database if it is missing, and check that it is writable and has our settings only.

    `diskcache` prefers the settings in the database to its own defaults, and sets attributes and
    pragmas by their names. A foreign database must not get that far.

    Raises:
        sqlite3.DatabaseError: It is locked for longer than `timeout_s`, read-only, or no database.
        CorruptRecordError: It holds settings that a disk tier never writes.
    """
    connection = sqlite3.connect(
        os.path.join(directory, DBNAME),  # noqa: PTH118 - sqlite3 takes a string
        timeout=timeout_s,
        isolation_level=None,
    )
    with contextlib.closing(connection):
        # Before anything is written: else the file never shrinks, and its bound can't be kept.
        connection.execute("PRAGMA auto_vacuum = 1").fetchall()
        connection.execute("PRAGMA journal_mode = wal").fetchall()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
        if not is_ours(connection):
            msg = "the database holds settings that a disk tier never writes"
            raise CorruptRecordError(msg)


def is_ours(connection: sqlite3.Connection) -> bool:
    """Whether a database is new, or holds only settings that a disk tier writes; changes nothing.

    Raises:
        sqlite3.DatabaseError: It is not a database.
    """
    tables = connection.execute(
        "SELECT count(*) FROM sqlite_master WHERE name = 'Settings' AND type = 'table'"
    ).fetchone()
    if not tables[0]:
        return True
    return {key for (key,) in connection.execute("SELECT key FROM Settings")} <= _KNOWN_SETTINGS
