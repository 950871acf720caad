"""A small SQLite database that several threads and forked processes use through one connection each."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from typing import TYPE_CHECKING, Protocol

from tiered_cache._process.fork import call_before_fork, call_in_child
from tiered_cache._sqlite.database_file import (
    connect,
    file_identity,
    remove_database,
    transaction,
)
from tiered_cache._sqlite.process_gate import GATE
from tiered_cache._sqlite.sqlite_errors import is_damage, is_lock
from tiered_cache.errors import TieredCacheError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from tiered_cache._sqlite.database_file import DatabaseLayout

__all__ = ["MakeError", "SideDatabase"]


class MakeError(Protocol):
    """Makes the error that the owner of a database raises when the database fails."""

    def __call__(
        self, message: str, *, timed_out: bool, operation: str, key: str | None
    ) -> TieredCacheError:
        """The error.

        Args:
            message: The cause.
            timed_out: Whether a lock was not free within the deadline.
            operation: The owner's operation.
            key: The key that it was for, if any.
        """
        ...


class SideDatabase:
    """A database beside a tier's data: boards, leases and journals are separate ones.

    It is opened at the first use. The threads of the process take turns with one connection, and
    a forked child opens its own. Each use waits at most `timeout_s` for other threads, and again
    for other processes. After a failure, a database that is not durable is opened again, and
    it is created again where its file was removed, replaced or damaged.

    Cost: two locks around the statements, and one `stat` where the database is not durable.

    Args:
        layout: The format and durability of the file.
        timeout_s: The deadline.
        locate: Gives the path; called under the lock before the file is opened.
        make_error: Makes the error of a failed use.
        on_open: Called under the lock with each new connection.
    """

    def __init__(
        self,
        layout: DatabaseLayout,
        timeout_s: float,
        locate: Callable[[], Path],
        make_error: MakeError,
        on_open: Callable[[sqlite3.Connection], None] | None = None,
    ) -> None:
        self._layout = layout
        self._timeout_s = timeout_s
        self._locate = locate
        self._make_error = make_error
        self._on_open = on_open
        self._path: Path | None = None
        self._connection: sqlite3.Connection | None = None
        self._opened_file: tuple[int, int] | None = None
        # Reentrant: an interruption can leave it taken, and must not shut out its own thread.
        self._lock = threading.RLock()
        self._inherited: list[object] = []
        call_before_fork(self._disconnect)
        call_in_child(self._abandon)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def _abandon(self) -> None:
        # Only where the parent could not close it: SQLite forbids even to close it here.
        self._inherited.append(self._connection)
        self._connection = None
        self._lock = threading.RLock()

    @property
    def is_open(self) -> bool:
        """Whether this process has a connection."""
        return self._connection is not None

    @contextlib.contextmanager
    def hold(self, operation: str, key: str | None = None) -> Generator[None]:
        """Keep other threads out of the block, and forks.

        Args:
            operation: The owner's operation, for errors.
            key: The key that it is for.
        """
        with GATE.own:  # before the lock: its holder must not wait at the gate
            lock = self._lock
            taken = False
            try:
                taken = lock.acquire(timeout=self._timeout_s)
                if not taken:
                    msg = f"other threads used {self._name()} for {self._timeout_s:g} s"
                    raise self._make_error(msg, timed_out=True, operation=operation, key=key)
                yield
            except TieredCacheError:
                raise
            except (sqlite3.Error, OSError) as error:
                self._repair(error)
                msg = f"{self._name()} failed: {error}"
                raise self._make_error(
                    msg, timed_out=is_lock(error), operation=operation, key=key
                ) from error
            finally:
                if taken:
                    lock.release()

    @contextlib.contextmanager
    def use(self, operation: str, key: str | None = None) -> Generator[sqlite3.Connection]:
        """The connection, for statements that commit one by one."""
        with self.hold(operation, key):
            yield self._current()

    @contextlib.contextmanager
    def change(self, operation: str, key: str | None = None) -> Generator[sqlite3.Connection]:
        """The connection, for statements that commit together."""
        with self.hold(operation, key), transaction(self._current()) as connection:
            yield connection

    def close(self) -> None:
        """Close the connection; a later use opens another."""
        with self.hold("close"):
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _name(self) -> str:
        where = "" if self._path is None else f" in {self._path}"
        return f"the {self._layout.title}{where}"

    def _current(self) -> sqlite3.Connection:
        connection = self._connection
        if connection is not None and not self._is_stale():
            return connection
        if connection is not None:
            connection.close()
        return self._open()

    def _is_stale(self) -> bool:
        """Whether the open file lost its name, so that no other process sees it."""
        # A durable one stays in use: its rows are in it alone.
        if self._layout.durable or self._path is None:
            return False
        return file_identity(self._path) != self._opened_file

    def _open(self) -> sqlite3.Connection:
        self._path = self._locate()
        connection = connect(self._path, self._layout, self._timeout_s)
        if self._on_open is not None:
            self._on_open(connection)
        self._opened_file = file_identity(self._path)
        self._connection = connection
        return connection

    def _repair(self, error: Exception) -> None:
        """Close the connection that failed, and remove the file if it is damaged."""
        # A durable one keeps both: each change was rolled back, and no row may be lost.
        if self._layout.durable:
            return
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()
        if is_damage(error) and self._path is not None:
            remove_database(self._path)
