"""A `diskcache.Cache` that keeps its deadlines, and a look at a database before it is opened."""

from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, Any

import diskcache
from diskcache.core import DBNAME, DEFAULT_SETTINGS, METADATA

from tiered_cache._process.fork import ForkGate
from tiered_cache.errors import CorruptRecordError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DBNAME", "BoundedCache", "is_ours", "open_bounded"]

_KNOWN_SETTINGS = {*DEFAULT_SETTINGS, *METADATA, "disk_max_value_bytes", "tag_index"}
_abandoned: list[object] = []
"""Connections that a forked child inherited. SQLite forbids even to close them there."""
_open: dict[int, sqlite3.Connection] = {}
"""The connections of threads. Out of reach of the garbage collector, which could else take one that is
in a circle before what closes it."""
_numbers = itertools.count()
_gate = ForkGate()
"""Entered to close the connection of a thread that ended: the child of a fork in the middle of that
would find the locks of the database held for ever."""


_Cache: Any = diskcache.Cache  # it has no types; what a checker infers of it is wrong


class BoundedCache(_Cache):  # type: ignore[misc] # of an untyped class
    """A `diskcache.Cache` whose constructor gives up in time, and whose connections are closed.

    `diskcache` retries for 60 seconds while it sets itself up, and leaves the connection of each
    thread that ended to the garbage collector, which complains about it since Python 3.13.
    """

    def __init__(self, directory: str, *, timeout: float, **options: Any) -> None:
        self._setup_deadline = time.monotonic() + timeout
        self._closers = threading.local()
        super().__init__(directory, timeout=timeout, **options)

    @property
    def _sql_retry(self) -> Callable[..., Any]:
        return self._execute_until_deadline

    def _execute_until_deadline(self, statement: str, *args: Any, **kwargs: Any) -> Any:
        while True:
            try:
                return self._sql(statement, *args, **kwargs)
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > self._setup_deadline:
                    raise
                time.sleep(0.001)

    @property
    def _con(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._local, "con", None)
        return self._connect() if found is None else found

    def _connect(self) -> sqlite3.Connection:
        """The connection of this thread, as `diskcache` makes it, but that any thread may close it.

        The last who lets go of a thread's locals need not be that thread.
        """
        self._local.pid = os.getpid()
        connection = self._local.con = sqlite3.connect(
            os.path.join(self._directory, DBNAME),  # noqa: PTH118 - sqlite3 takes a string
            timeout=self._timeout,
            isolation_level=None,
            check_same_thread=False,
        )
        self._closers.closer = _Closer(connection)
        with contextlib.suppress(sqlite3.OperationalError):  # the table may not be there yet
            settings = connection.execute("SELECT key, value FROM Settings").fetchall()
            for key, value in settings:
                if key.startswith("sqlite_"):
                    self.reset(key, value, update=False)
        return connection

    def end_transaction(self) -> None:
        """Leave no transaction open that this thread was in, should it have been interrupted in it.

        `diskcache` does not notice an exception between two of its steps, such as Ctrl-C: later
        writes of the thread would belong to that transaction, and never be committed.
        """
        connection: sqlite3.Connection | None = getattr(self._local, "con", None)
        if connection is None or not connection.in_transaction:
            return
        if self._txn_id == threading.get_ident():  # type: ignore[has-type] # of an untyped class
            self._txn_id = None
        self.close()

    def abandon(self) -> None:
        """Never touch this object's connections again: called in a forked child."""
        _abandoned.append((self._local, self._closers))


class _Closer:
    """Closes a thread's connection when the thread ends and its locals are let go."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._number = next(_numbers)
        self._pid = os.getpid()
        _open[self._number] = connection

    def __del__(self) -> None:
        connection = _open.pop(self._number)
        if os.getpid() != self._pid:
            _abandoned.append(connection)
            return
        with _gate.finalizing(), contextlib.suppress(sqlite3.Error):
            connection.close()


def identity(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    """What tells a file from another one that takes its place; `None` if there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116 - it runs on every write
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino


def open_bounded(directory: str, timeout_s: float, **options: Any) -> BoundedCache:
    """The cache in `directory`, once it was found to be ours.

    Raises:
        sqlite3.DatabaseError: It is locked for longer than `timeout_s`, read-only, or no database.
        CorruptRecordError: It holds settings that `diskcache` does not know.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            _inspect(directory, timeout_s)
            return BoundedCache(directory, timeout=timeout_s, **options)
        except sqlite3.OperationalError as error:
            # While others set up a new database too, neither SQLite nor diskcache always waits.
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.005)


def _inspect(directory: str, timeout_s: float) -> None:
    """Make sure that the database can be written, and holds settings of ours only.

    `diskcache` takes settings from the database over its own defaults and sets what they name as
    attributes and pragmas, so a foreign database must not get that far.
    """
    connection = sqlite3.connect(
        os.path.join(directory, DBNAME),  # noqa: PTH118 - sqlite3 takes a string
        timeout=timeout_s,
        isolation_level=None,
    )
    with contextlib.closing(connection):
        # Before anything is written, or the file never shrinks and its bound can't be kept.
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
        sqlite3.DatabaseError: It is no database.
    """
    tables = connection.execute(
        "SELECT count(*) FROM sqlite_master WHERE name = 'Settings' AND type = 'table'"
    ).fetchone()
    if not tables[0]:
        return True
    return {key for (key,) in connection.execute("SELECT key FROM Settings")} <= _KNOWN_SETTINGS
