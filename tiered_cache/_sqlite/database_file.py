"""The file of a small SQLite database: connecting, transactions, identity and removal."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from typing import TYPE_CHECKING, NamedTuple

from tiered_cache._sqlite.sqlite_errors import NewerFormatError, retry_while_locked

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

__all__ = ["DatabaseLayout", "connect", "file_identity", "remove_database", "transaction"]


class DatabaseLayout(NamedTuple):
    """The format and the durability of a database.

    Attributes:
        title: Its name in error messages.
        table: The statement that creates its table, if there is none.
        version: The format's number, kept as `user_version`; a higher one in the file is refused.
        durable: Whether committed changes survive the process for certain. A database that is not
            durable may be emptied or replaced at any time, so damage is repaired by removal.
    """

    title: str
    table: str
    version: int = 0
    durable: bool = False


class _QuietConnection(sqlite3.Connection):
    """A connection that closes itself when it is collected, without a `ResourceWarning`."""

    def __del__(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self.close()


def connect(
    path: Path, layout: DatabaseLayout, timeout_s: float, *, create: bool = True
) -> sqlite3.Connection:
    """A connection in autocommit mode, in WAL mode, for use by one thread at a time.

    Args:
        path: The file.
        layout: Its format.
        timeout_s: Longest wait for a lock of another connection.
        create: Whether to create the directory, the file and the table where they are missing.

    Raises:
        NewerFormatError: The file was written by a newer release.
        sqlite3.Error: The file is locked, read-only, damaged or missing.
        OSError: The directory can't be created.
    """
    if create:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"{path.absolute().as_uri()}?mode={'rwc' if create else 'rw'}"
    deadline_s = time.monotonic() + timeout_s
    return retry_while_locked(lambda: _connect(name, layout, timeout_s), deadline_s)


def _connect(name: str, layout: DatabaseLayout, timeout_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        name,
        timeout=timeout_s,
        isolation_level=None,
        check_same_thread=False,
        factory=_QuietConnection,
        uri=True,
    )
    try:
        _set_up(connection, layout)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_up(connection: sqlite3.Connection, layout: DatabaseLayout) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > layout.version:
        msg = f"it has the format {version}, which is newer than this release"
        raise NewerFormatError(msg)
    connection.execute("PRAGMA journal_mode = wal").fetchall()
    connection.execute(f"PRAGMA synchronous = {'normal' if layout.durable else 'off'}")
    connection.execute(layout.table)
    if version < layout.version:
        connection.execute(f"PRAGMA user_version = {layout.version}")


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[sqlite3.Connection]:
    """Commit the statements of the block together, or none of them if it raises."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()  # also after a COMMIT that failed, on a full disk
        raise


def file_identity(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    """The device and inode of a file, or `None` if it is missing: a replaced file has another one."""
    try:
        status = os.stat(path)  # noqa: PTH116 - runs on every write
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino


def remove_database(path: Path) -> None:
    """Remove a database with its write-ahead log and shared memory."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
