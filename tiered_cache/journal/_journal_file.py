"""Journal files: their format, names and locks."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

from tiered_cache._sqlite.database_file import DatabaseLayout, connect, remove_database
from tiered_cache._sqlite.process_gate import GATE
from tiered_cache.errors import JournalError
from tiered_cache.journal._ownership import Ownership

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

__all__ = [
    "LAYOUT",
    "SUFFIX",
    "find_owner",
    "journal_errors",
    "journal_files",
    "lock_of",
    "open_journal",
    "remove_journal",
]

SUFFIX = ".journal"

LAYOUT = DatabaseLayout(
    "journal",
    """CREATE TABLE IF NOT EXISTS changes (
        serial INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL,
        record BLOB,
        as_of_s REAL NOT NULL,
        tiers TEXT NOT NULL,
        trouble TEXT NOT NULL DEFAULT '',
        clears INTEGER NOT NULL DEFAULT 0,
        UNIQUE (key, clears)
    )""",
    version=1,
    durable=True,
)


def journal_files(directory: Path) -> list[Path]:
    """The journals in a directory, those of live processes included, by name."""
    return sorted(directory.glob(f"*{SUFFIX}"))


@contextlib.contextmanager
def open_journal(
    path: Path, timeout_s: float, *, create: bool = True
) -> Generator[sqlite3.Connection]:
    """A connection to the journal in `path`, closed after the block; one thread at a time may use it.

    Args:
        path: The file.
        timeout_s: Longest wait for a lock of another connection.
        create: Whether to create the file if it is missing.

    Raises:
        sqlite3.Error: The file is locked, read-only, damaged, missing or of a newer release.
    """
    with (
        GATE.own,
        contextlib.closing(connect(path, LAYOUT, timeout_s, create=create)) as connection,
    ):
        yield connection


@contextlib.contextmanager
def journal_errors(path: Path) -> Generator[None]:
    """Raise each fault of the journal in `path` as a `JournalError`."""
    try:
        yield
    except JournalError:
        raise
    except (sqlite3.Error, OSError) as error:
        msg = f"the journal {path} failed: {error}"
        raise JournalError(msg) from error


def lock_of(path: Path) -> Path:
    """The lock file of the journal in `path`: its lock is the ownership of the journal."""
    return path.with_suffix(".lock")


def find_owner(path: Path) -> str:
    """`"other"` if another live process owns the journal in `path`, else `"dead"`."""
    ownership = Ownership.take(lock_of(path))
    if ownership is None:
        return "other"
    ownership.release()
    return "dead"


def remove_journal(path: Path) -> None:
    """Remove the journal in `path`; its lock goes last, so that no other process can own the rest."""
    remove_database(path)
    lock_of(path).unlink(missing_ok=True)
