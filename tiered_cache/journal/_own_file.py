"""The journal file of this process."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from typing import TYPE_CHECKING

from tiered_cache._process.fork import call_in_child
from tiered_cache._sqlite.side_database import SideDatabase
from tiered_cache.errors import JournalError
from tiered_cache.journal._journal_file import LAYOUT, SUFFIX, lock_of, remove_journal
from tiered_cache.journal._journal_rows import read_rows
from tiered_cache.journal._ownership import Ownership

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

__all__ = ["OwnFile"]


class OwnFile:
    """A journal that this process alone writes, and owns until `close`.

    It is created at the first change. A forked child creates another one. Thread-safe; its methods
    raise `JournalError`.

    Args:
        directory: The directory of the journals.
        timeout_s: Longest wait for other threads, and again for a lock of the database.
    """

    def __init__(self, directory: Path, timeout_s: float) -> None:
        self._directory = directory
        self._ownership: Ownership | None = None
        self.path: Path | None = None
        self._database = SideDatabase(LAYOUT, timeout_s, self._claim, _make_error)
        call_in_child(self._disown)

    def _disown(self) -> None:
        # The parent keeps the file: a child does not inherit its lock.
        self._ownership = self.path = None

    def _claim(self) -> Path:
        path = self.path
        if path is None:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self._directory / f"{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
            self._ownership = Ownership.take(lock_of(path))
            self.path = path
        return path

    def change(self, operation: str) -> AbstractContextManager[sqlite3.Connection]:
        """The connection, for statements that commit together; `operation` names them in errors."""
        return self._database.change(operation)

    def size_bytes(self) -> int:
        """The size of the file with its write-ahead log; 0 before the first change."""
        path = self.path
        size = 0
        if path is not None:
            for suffix in ("", "-wal"):
                with contextlib.suppress(OSError):
                    size += path.with_name(path.name + suffix).stat().st_size
        return size

    def close(self) -> None:
        """Close the file and give up its ownership; an empty file is removed."""
        with self._database.hold("close"):
            path, ownership = self.path, self._ownership
            if path is None:
                return
            with contextlib.suppress(sqlite3.Error, JournalError):
                with self._database.use("close") as database:
                    is_empty = next(read_rows(database), None) is None
                self._database.close()
                if is_empty:
                    remove_journal(path)
            self.path = self._ownership = None
            if ownership is not None:
                ownership.release()


def _make_error(message: str, **_: object) -> JournalError:
    return JournalError(message)
