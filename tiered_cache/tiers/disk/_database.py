"""A `diskcache.Cache` that keeps deadlines, closes its connections and takes an injected clock.

Only this module and `_bytes_disk` use private members of `diskcache`.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, Any

import diskcache
from diskcache.core import DBNAME

from tiered_cache._process.fork import call_before_fork, call_in_child
from tiered_cache._sqlite.process_gate import GATE
from tiered_cache._sqlite.sqlite_errors import retry_while_locked
from tiered_cache.tiers.disk._bytes_disk import MODE_RAW

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DBNAME", "BoundedCache"]

_SELECT = "SELECT mode, filename, value, expire_time FROM Cache WHERE key = ? AND raw = 1"
_SELECT_FILE = "SELECT rowid, filename FROM Cache WHERE key = ? AND raw = 1"

_SELECT_FACT = "SELECT value FROM TieredFacts WHERE name = ?"


class _Connections:
    """The connections of all threads to all databases of this process.

    SQLite keeps its locks by process. A child that inherited a connection would believe that it holds
    the parent's locks, and lose its writes once the parent closes the database. So all connections
    are closed before a fork, and each thread makes another one when it needs it.
    """

    def __init__(self) -> None:
        self.epoch = 0
        """Changes when all connections were closed."""
        self._numbers = itertools.count()
        # Keeps the garbage collector from finalizing a connection before its closer.
        self._open: dict[int, sqlite3.Connection] = {}
        self._left: list[int] = []
        self._inherited: list[object] = []
        call_before_fork(self._close_all)
        call_in_child(self._abandon)

    def add(self, connection: sqlite3.Connection) -> int:
        """Take a new connection; its number."""
        while self._left:  # finalized while a fork was under way
            self.close(self._left.pop())
        number = next(self._numbers)
        self._open[number] = connection
        return number

    def close(self, number: int) -> None:
        """Close a connection, unless it is closed or inherited."""
        connection = self._open.pop(number, None)
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def close_from_finalizer(self, number: int) -> None:
        """Close a connection, or leave it to a later call if a fork is under way."""
        gate = GATE.own
        # No waiting: the thread may hold a lock that the fork waits for.
        if not gate.acquire(blocking=False):
            self._left.append(number)
            return
        try:
            self.close(number)
        finally:
            gate.release()

    def _close_all(self) -> None:
        self.epoch += 1
        for number in list(self._open):
            self.close(number)

    def _abandon(self) -> None:
        # Only those that the parent could not close: SQLite forbids even to close them here.
        self._inherited += self._open.values()
        self._open.clear()
        self.epoch += 1


_connections = _Connections()

_Cache: Any = diskcache.Cache  # untyped: a checker infers wrong types


class _Instant(float):
    """An expiry by the injected clock: `diskcache` adds it to its own time, and gets it unchanged."""

    __slots__ = ()

    def __radd__(self, _: float) -> float:
        return float(self)


class BoundedCache(_Cache):  # type: ignore[misc] # of an untyped class
    """A `diskcache.Cache` with our deadlines, our clock, and connections that are closed.

    `diskcache` retries for 60 seconds while it sets itself up. It leaves the connection of an ended
    thread to the garbage collector, which warns about it since Python 3.13. It also calls
    `time.time` itself; expiry goes by `wall` here.

    Args:
        directory: The directory of the database and its files; it exists.
        timeout: Longest wait for other processes, in seconds, also while it is set up.
        wall: The wall clock, in seconds since the epoch.
        options: Settings of `diskcache.Cache`.
    """

    def __init__(
        self, directory: str, *, timeout: float, wall: Callable[[], float], **options: Any
    ) -> None:
        self.wall = wall
        self._setup_deadline = time.monotonic() + timeout
        self._is_set_up = False
        super().__init__(directory, timeout=timeout, **options)
        self._is_set_up = True
        self._path = os.path.join(directory, DBNAME)  # noqa: PTH118 - os.stat on every write
        self._file = os.stat(self._path)  # noqa: PTH116 - the same

    def is_current(self) -> bool:
        """Whether the database is still the directory's: neither removed nor replaced."""
        try:
            return os.path.samestat(os.stat(self._path), self._file)  # noqa: PTH116 - as above
        except (FileNotFoundError, NotADirectoryError):
            return False

    @property
    def sql(self) -> Callable[..., sqlite3.Cursor]:
        """Executes a statement on this thread's connection."""
        return self._con.execute

    @property
    def _sql_retry(self) -> Callable[..., Any]:
        return self._con.execute if self._is_set_up else self._execute_until_deadline

    def _execute_until_deadline(self, statement: str, *args: Any, **kwargs: Any) -> Any:
        return retry_while_locked(
            lambda: self._con.execute(statement, *args, **kwargs), self._setup_deadline
        )

    @property
    def _con(self) -> sqlite3.Connection:
        local = self._local
        try:
            found: sqlite3.Connection = local.con
            if local.epoch == _connections.epoch:
                return found
        except AttributeError:
            pass
        return self._connect()

    def _connect(self) -> sqlite3.Connection:
        """The connection of this thread, made as `diskcache` does, except that any thread may close it.

        The last reference to a thread's locals may be dropped by another thread.
        """
        self._local.pid = os.getpid()
        connection = self._local.con = sqlite3.connect(
            os.path.join(self._directory, DBNAME),  # noqa: PTH118 - sqlite3 takes a string
            timeout=self._timeout,
            isolation_level=None,
            check_same_thread=False,
        )
        self._local.epoch = _connections.epoch
        self._local.closer = _Closer(_connections.add(connection))
        with contextlib.suppress(sqlite3.OperationalError):  # the table may be missing yet
            settings = connection.execute("SELECT key, value FROM Settings").fetchall()
            for key, value in settings:
                if key.startswith("sqlite_"):
                    self.reset(key, value, update=False)
        return connection

    def find_record(self, key: str, now_s: float) -> tuple[bytes, float | None] | None:
        """The record of `key` with its expiry, `None` if it is absent or expired.

        The record is empty if its file is missing or empty.
        """
        last_file = None
        while True:
            # diskcache's own get() takes 1.5 times as long, because it reads its settings.
            row = self._con.execute(_SELECT, (key,)).fetchone()
            if row is None:
                return None
            mode, filename, value, expires_s = row
            if expires_s is not None and expires_s <= now_s:
                return None
            if filename is None and mode == MODE_RAW and type(value) is bytes:
                return value, expires_s
            try:
                return self._disk.fetch(mode, filename, value, False), expires_s
            except FileNotFoundError:
                # A writer replaced the record in between, unless the row names the same file again.
                if filename == last_file:
                    return b"", expires_s
                last_file = filename

    def live_row(self, key: str, columns: str) -> tuple[Any, ...] | None:
        """Some columns of the row of `key`; `None` if it is absent or expired."""
        rows = self._con.execute(
            f"SELECT {columns} FROM Cache WHERE key = ? AND raw = 1"  # noqa: S608 - constants
            " AND (expire_time IS NULL OR expire_time > ?)",
            (key, self.wall()),
        ).fetchall()
        return rows[0] if rows else None

    def fact(self, name: str) -> Any:
        """The value of `name` in the table of facts, which `LogTable` writes; `None` if it has none."""
        rows = self._con.execute(_SELECT_FACT, (name,)).fetchall()
        return rows[0][0] if rows else None

    def store_record(
        self, key: str, record: object, expires_s: float | None, tag: str | None
    ) -> None:
        """Store a record until `expires_s` by the wall clock, or without a limit if it is `None`."""
        expire = None if expires_s is None else _Instant(expires_s)
        self.set(key, record, expire=expire, tag=tag)

    def remove_record(self, key: str) -> bool:
        """Remove the row of `key`, expired or not; whether there was one."""
        row = self._con.execute(_SELECT_FILE, (key,)).fetchone()
        if row is None:
            return False
        rowid, filename = row
        self._con.execute("DELETE FROM Cache WHERE rowid = ?", (rowid,))
        if filename is not None:
            self._disk.remove(filename)
        return True

    def _cull(self, now: float, sql: Any, cleanup: Any, limit: int | None = None) -> None:
        super()._cull(self.wall(), sql, cleanup, limit)

    def end_transaction(self) -> None:
        """Roll back a transaction that an interruption left open in this thread.

        `diskcache` does not notice an exception between two of its steps, such as Ctrl-C. Later
        writes of the thread would belong to that transaction, and never be committed.
        """
        local = self._local
        connection: sqlite3.Connection | None = getattr(local, "con", None)
        if connection is None or local.epoch != _connections.epoch or not connection.in_transaction:
            return
        if self._txn_id == threading.get_ident():  # type: ignore[has-type] # of an untyped class
            self._txn_id = None
        self.close()

    def data_version(self) -> tuple[int, int]:
        """A value that changes with each commit of another connection, and with this one."""
        ((version,),) = self._con.execute("PRAGMA data_version").fetchall()
        return _connections.epoch, version


class _Closer:
    """Closes a thread's connection when the thread ends and its locals are dropped."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __del__(self) -> None:
        _connections.close_from_finalizer(self._number)
