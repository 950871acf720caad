"""The journal: one small SQLite database for each process that queues writes."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import secrets
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

from tiered_cache._process.fork import ForkGate, call_in_child
from tiered_cache.contracts import JournalRow
from tiered_cache.errors import JournalError
from tiered_cache.journal.ownership import Ownership
from tiered_cache.results import JournalEntry

if TYPE_CHECKING:
    from collections.abc import Container, Generator, Iterator, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

__all__ = ["DiskJournal", "journal_files", "open_journal", "read_rows"]

_log = logging.getLogger("tiered_cache")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS changes (
    serial INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL,
    record BLOB,
    as_of_s REAL NOT NULL,
    tiers TEXT NOT NULL,
    trouble TEXT NOT NULL DEFAULT '',
    clears INTEGER NOT NULL DEFAULT 0,
    UNIQUE (key, clears)
)"""
_INSERT = "INSERT OR REPLACE INTO changes (key, record, as_of_s, tiers, trouble, clears)"
_VALUES = "SELECT :key, :record, :as_of_s, :tiers, :trouble, :clears"
_VERSION = 1
_SUFFIX = ".journal"
_LOOKS = 5
"""How often the journals are read again because one was removed meanwhile."""


class DiskJournal:
    """Keeps queued changes in a directory that the processes of one host share.

    Each process writes a file of its own, so that writers never wait for each other, and owns it
    by a lock. `adopt` takes over the files whose owners are dead: their changes are copied into
    the own file before theirs is removed, so that none is lost, and one that is there twice is
    written twice, which does no harm: a change gives way to what is newer.

    A change is in the file before `write` returns (SQLite, write-ahead log, `synchronous=NORMAL`):
    it survives the process, killed at any instruction. After a loss of power the last changes may
    be missing; the file is never damaged.

    Args:
        directory: Where the files are; made when first used, for this user only.
        timeout_s: How long a write waits for a lock of the database.

    Thread-safe; a forked child makes a file of its own.
    """

    def __init__(self, directory: Path, timeout_s: float = 2.0) -> None:
        self._directory = directory
        self._timeout_s = timeout_s
        self._gate = ForkGate()
        self._connection: sqlite3.Connection | None = None
        self._ownership: Ownership | None = None
        self._path = directory
        self._abandoned: list[object] = []
        self._turn = threading.Lock()
        self._complained_of: set[Path] = set()
        call_in_child(self._abandon)

    def _abandon(self) -> None:
        # SQLite forbids even to close a connection that was inherited.
        self._abandoned.append(self._connection)
        self._connection = self._ownership = None
        self._path = self._directory
        self._turn = threading.Lock()

    @contextlib.contextmanager
    def _changing(self) -> Generator[sqlite3.Connection]:
        with self._gate, self._my_turn(), self._telling():
            connection = self._connection or self._open()
            with connection:
                yield connection

    @contextlib.contextmanager
    def _telling(self) -> Generator[None]:
        try:
            yield
        except JournalError:
            raise
        except (sqlite3.Error, OSError) as error:
            msg = f"the journal in {self._directory} failed: {error}"
            raise JournalError(msg) from error

    @contextlib.contextmanager
    def _my_turn(self) -> Generator[None]:
        turn = self._turn
        if not turn.acquire(timeout=self._timeout_s):
            msg = (
                f"other threads wrote to the journal in {self._directory} for {self._timeout_s:g} s"
            )
            raise JournalError(msg)
        try:
            yield
        finally:
            turn.release()

    def _open(self) -> sqlite3.Connection:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}"
        self._path = self._directory / name
        self._ownership = Ownership.take(_lock_of(self._path))
        self._connection = open_journal(self._path, self._timeout_s)
        return self._connection

    def write(
        self, key: str, record: bytes | None, as_of_s: float, tiers: frozenset[str]
    ) -> JournalRow:
        """Have a change on disk, in the place of an earlier one of the same key.

        Raises:
            JournalError: The disk is full, say.
        """
        (row,) = self.write_many([JournalRow(0, key, record, as_of_s, tiers)])
        return row

    def write_many(self, rows: Sequence[JournalRow]) -> list[JournalRow]:
        """Have several changes on disk, as `write` does, in one transaction: all of them or none."""
        with self._changing() as connection:
            return [row._replace(serial=_insert(connection, row)) for row in rows]

    def _keep(self, row: JournalRow) -> JournalRow | None:
        """Have a change of another journal here, unless there is a newer one of its key."""
        with self._changing() as connection:
            serial = _insert_unless_newer(connection, row._replace(trouble=""))
        return row._replace(serial=serial, trouble="") if serial else None

    def forget(self, rows: Sequence[JournalRow]) -> None:
        """Remove changes that every tier has; those that were replaced meanwhile stay."""
        with self._changing() as connection:
            _delete(connection, rows)

    def park(self, row: JournalRow, trouble: str) -> None:
        """Keep a change that could not be written, for `tiered-cache journal`."""
        with self._changing() as connection:
            connection.execute(
                "UPDATE changes SET trouble = ? WHERE serial = ?", (trouble, row.serial)
            )

    def entries(self) -> list[JournalEntry]:
        """What all journals of the directory hold, those of living processes included."""
        found: list[JournalEntry] = []
        for _ in range(_LOOKS):
            found = []
            whole = True
            for path in journal_files(self._directory):
                rows = self._read(path)
                if rows is None:
                    whole = False
                    continue
                owner = "this" if path == self._path else _owner_of(path)
                found += [_shown(row, owner) for row in rows]
            if whole:
                break
            # Somebody took a journal over meanwhile: what was in it is in one that was read before.
        return found

    def _read(self, path: Path) -> list[JournalRow] | None:
        """What a journal holds; `None` if it was removed meanwhile."""
        try:
            with (
                self._telling(),
                contextlib.closing(open_journal(path, self._timeout_s, new=False)) as file,
            ):
                return list(read_rows(file))
        except JournalError:
            if path.exists():
                raise
            return None

    def take_parked(
        self, tiers: AbstractSet[str], keys: Container[str] | None = None
    ) -> list[JournalRow]:
        """Move what is parked, of all processes, here, and park it no more.

        Args:
            tiers: The tiers that there are here; what is for others too stays where it is.
            keys: Which; all where there are none named.
        """
        taken = []
        for path in journal_files(self._directory):
            with self._telling(), contextlib.closing(open_journal(path, self._timeout_s)) as file:
                rows = [each for each in read_rows(file) if each.trouble]
                rows = [each for each in rows if keys is None or each.key in keys]
                rows = [each for each in rows if each.tiers <= tiers]
                # Here first and gone there afterwards: in between it is twice, never nowhere.
                taken += [kept for each in rows if (kept := self._keep(each)) is not None]
                if path != self._path:
                    with file:
                        _delete(file, rows)
        return taken

    def drop_parked(self, tiers: AbstractSet[str], keys: Container[str] | None = None) -> int:
        """Forget what is parked, of all processes; how many changes were."""
        rows = self.take_parked(tiers, keys)
        self.forget(rows)
        return len(rows)

    def clear(self, prefix: str, as_of_s: float) -> None:
        """Forget changes that were cleared: one's own, those of dead processes, and what is parked.

        What a living process has queued is its own to write: it counts as of then.
        """
        for path in journal_files(self._directory):
            if path == self._path:
                with self._changing() as connection:
                    _delete(connection, _cleared(connection, prefix, as_of_s))
                continue
            ownership = Ownership.take(_lock_of(path))
            try:
                with (
                    self._telling(),
                    contextlib.closing(open_journal(path, self._timeout_s)) as file,
                    file,
                ):
                    rows = _cleared(file, prefix, as_of_s)
                    _delete(file, [row for row in rows if row.trouble or ownership is not None])
            finally:
                if ownership is not None:
                    ownership.release()

    def adopt(self, tiers: AbstractSet[str], most: float = math.inf) -> list[JournalRow]:
        """The changes that dead processes left; they belong to this one from now on.

        Costs a directory listing where there are none.

        Args:
            tiers: The tiers that there are here; what is for others too is left to a process that
                has them.
            most: After so many, no further process's changes are taken over this time.
        """
        adopted: list[JournalRow] = []
        for path in journal_files(self._directory):
            if len(adopted) >= most:
                break
            ownership = None if path == self._path else Ownership.take(_lock_of(path))
            if ownership is None:
                continue
            try:
                adopted += self._take_over(path, tiers)
            except (JournalError, sqlite3.Error, OSError) as error:
                self._complain(path, error)
            finally:
                ownership.release()
        return adopted

    def _complain(self, path: Path, error: Exception) -> None:
        """Say once that a dead process's journal can't be read; the others are adopted all the same."""
        if path in self._complained_of:
            return
        self._complained_of.add(path)
        damaged = isinstance(error, sqlite3.DatabaseError)
        if damaged and not isinstance(error, sqlite3.OperationalError):
            path = path.rename(path.with_suffix(".unreadable"))
        _log.error(
            "The journal %s of a process that died can't be read, so what it had queued is not "
            "written: %s",
            path,
            error,
        )

    def _take_over(self, path: Path, tiers: AbstractSet[str]) -> list[JournalRow]:
        if not path.exists():  # another process was quicker
            _lock_of(path).unlink(missing_ok=True)
            return []
        taken = []
        with contextlib.closing(open_journal(path, self._timeout_s)) as theirs:
            rows = list(read_rows(theirs))
            ours = [row for row in rows if row.tiers <= tiers]
            with self._changing() as connection:
                for row in ours:
                    serial = _insert_unless_newer(connection, row)
                    if serial and not row.trouble:
                        taken.append(row._replace(serial=serial))
            if len(ours) < len(rows):
                with theirs:
                    _delete(theirs, ours)
                return taken
        _remove(path)
        return taken

    def size_bytes(self) -> int:
        """The size of this process's file, with its write-ahead log."""
        if self._connection is None:
            return 0
        size = 0
        for suffix in ("", "-wal"):
            with contextlib.suppress(OSError):
                size += self._path.with_name(self._path.name + suffix).stat().st_size
        return size

    def close(self) -> None:
        """Let go of the file; it is removed if nothing is left in it."""
        with self._gate, self._my_turn():
            connection, ownership = self._connection, self._ownership
            self._connection = self._ownership = None
            if connection is None:
                return
            with contextlib.suppress(sqlite3.Error):
                empty = next(read_rows(connection), None) is None
                connection.close()
                if empty:
                    _remove(self._path)
            if ownership is not None:
                ownership.release()


def open_journal(path: Path, timeout_s: float, *, new: bool = True) -> sqlite3.Connection:
    """The database in `path`, set up; any thread may use it, one at a time.

    Args:
        path: Where it is.
        timeout_s: How long it waits for a lock.
        new: Whether it is made where there is none.

    Raises:
        sqlite3.Error: It is locked, read-only, no journal, or not there.
        JournalError: It is of a newer release.
    """
    name = f"{path.absolute().as_uri()}?mode={'rwc' if new else 'rw'}"
    connection = sqlite3.connect(name, timeout=timeout_s, check_same_thread=False, uri=True)
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, _VERSION):
            msg = f"the journal has the format {version}, which is newer than this release"
            raise JournalError(msg)
        connection.execute("PRAGMA journal_mode = wal").fetchall()
        connection.execute("PRAGMA synchronous = normal")
        connection.execute(_SCHEMA)
        connection.execute(f"PRAGMA user_version = {_VERSION}")
    except BaseException:
        connection.close()
        raise
    return connection


def journal_files(directory: Path) -> list[Path]:
    """The journals in a directory, those of living processes included."""
    return sorted(directory.glob(f"*{_SUFFIX}"))


def read_rows(connection: sqlite3.Connection) -> Iterator[JournalRow]:
    """All changes of a journal, oldest first; rows that are not of our making are left out."""
    columns = "serial, key, record, as_of_s, tiers, trouble, clears"
    for serial, key, record, as_of_s, tiers, trouble, clears in connection.execute(
        f"SELECT {columns} FROM changes ORDER BY serial"  # noqa: S608 - constants
    ):
        plain = type(key) is str and type(record) in (bytes, type(None))
        if plain and type(as_of_s) is float and type(tiers) is type(trouble) is str:
            names = frozenset(tiers.split("\n"))
            yield JournalRow(serial, key, record, as_of_s, names, trouble, clears == 1)


def _cleared(connection: sqlite3.Connection, prefix: str, as_of_s: float) -> list[JournalRow]:
    return [
        row
        for row in read_rows(connection)
        if row.key.startswith(prefix) and row.as_of_s <= as_of_s and not row.clears
    ]


def _delete(connection: sqlite3.Connection, rows: Sequence[JournalRow]) -> None:
    connection.executemany("DELETE FROM changes WHERE serial = ?", [(row.serial,) for row in rows])


def _shown(row: JournalRow, owner: str) -> JournalEntry:
    size = len(row.record or b"")
    deletes = row.record is None
    return JournalEntry(row.key, deletes, size, row.as_of_s, row.trouble, owner, row.clears)


def _owner_of(path: Path) -> str:
    ownership = Ownership.take(_lock_of(path))
    if ownership is None:
        return "other"
    ownership.release()
    return "dead"


def _insert(connection: sqlite3.Connection, row: JournalRow) -> int:
    """The new row's serial."""
    return int(connection.execute(f"{_INSERT} {_VALUES}", _columns(row)).lastrowid or 0)


def _insert_unless_newer(connection: sqlite3.Connection, row: JournalRow) -> int:
    """The new row's serial; 0 where a newer change of the key is there already."""
    newer = "SELECT 1 FROM changes WHERE key = :key AND clears = :clears AND as_of_s > :as_of_s"
    cursor = connection.execute(f"{_INSERT} {_VALUES} WHERE NOT EXISTS ({newer})", _columns(row))
    return int(cursor.lastrowid or 0) if cursor.rowcount > 0 else 0


def _columns(row: JournalRow) -> dict[str, Any]:
    return {**row._asdict(), "tiers": "\n".join(sorted(row.tiers))}


def _lock_of(path: Path) -> Path:
    return path.with_suffix(".lock")


def _remove(path: Path) -> None:
    for suffix in (_SUFFIX, f"{_SUFFIX}-wal", f"{_SUFFIX}-shm", ".lock"):
        path.with_name(path.stem + suffix).unlink(missing_ok=True)
