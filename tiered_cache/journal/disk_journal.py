"""The journal: one small SQLite database for each process that queues writes."""

from __future__ import annotations

import logging
import math
import sqlite3
from typing import TYPE_CHECKING

from tiered_cache._sqlite.database_file import transaction
from tiered_cache._sqlite.sqlite_errors import is_damage
from tiered_cache.errors import JournalError
from tiered_cache.journal._journal_file import (
    find_owner,
    journal_errors,
    journal_files,
    lock_of,
    open_journal,
    remove_journal,
)
from tiered_cache.journal._journal_rows import (
    delete_rows,
    insert_row,
    insert_unless_newer,
    read_rows,
    rows_to_clear,
)
from tiered_cache.journal._own_file import OwnFile
from tiered_cache.journal._ownership import Ownership
from tiered_cache.results import JournalEntry

if TYPE_CHECKING:
    from collections.abc import Container, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from tiered_cache.contracts.journal import JournalRow

__all__ = ["DiskJournal"]

_log = logging.getLogger("tiered_cache")

_MOST_READINGS = 5
"""Readings of all journals by `entries`, which repeats while another process removes one."""


class DiskJournal:
    """Implements `Journal` in a directory that the processes of one host share.

    Each process writes a file of its own, so that writers never wait for each other, and owns it
    by a lock. `adopt` takes over the files of dead owners. It copies their changes into the own
    file before it removes theirs: none is lost, and one that is copied twice is written twice.
    That does no harm, because a newer change always wins.

    A change is in the file before `write` returns (SQLite, write-ahead log, `synchronous=NORMAL`).
    It survives a process that is killed at any instruction. A loss of power may drop the last
    changes, and never damages the file.

    Thread-safe and fork-safe: a forked child creates its own file.

    Args:
        directory: Where the files are; created at the first change, with access for this user only.
        timeout_s: Longest wait for other threads, and again for a lock of a database.
    """

    def __init__(self, directory: Path, timeout_s: float = 2.0) -> None:
        self._directory = directory
        self._timeout_s = timeout_s
        self._own = OwnFile(directory, timeout_s)
        self._unreadable: set[Path] = set()

    def write(self, rows: Sequence[JournalRow]) -> list[JournalRow]:
        """Store changes on disk, in place of earlier ones of their keys, in one transaction.

        Returns:
            The rows with their numbers, in the same order.

        Raises:
            JournalError: The journal can't be written, because the disk is full, for example.
        """
        with self._own.change("write") as own:
            return [row._replace(serial=insert_row(own, row)) for row in rows]

    def forget(self, rows: Sequence[JournalRow]) -> None:
        """Remove changes that every tier has; those that were replaced meanwhile stay."""
        with self._own.change("forget") as own:
            delete_rows(own, rows)

    def park(self, row: JournalRow, trouble: str) -> None:
        """Keep a change that a tier refused, for `tiered-cache journal`; `trouble` says why."""
        with self._own.change("park") as own:
            own.execute("UPDATE changes SET trouble = ? WHERE serial = ?", (trouble, row.serial))

    def size_bytes(self) -> int:
        """The size of this process's file with its write-ahead log."""
        return self._own.size_bytes()

    def close(self) -> None:
        """Close the file; it is removed if it is empty, and else left for the next process."""
        self._own.close()

    def entries(self) -> list[JournalEntry]:
        """The changes in all journals of the directory, those of live processes included."""
        found: list[JournalEntry] = []
        for _ in range(_MOST_READINGS):
            found = []
            complete = True
            for path in journal_files(self._directory):
                rows = self._read(path)
                if rows is None:
                    # Another process adopted it, into a journal that may have been read before.
                    complete = False
                    continue
                owner = "this" if path == self._own.path else find_owner(path)
                found += [_entry(row, owner) for row in rows]
            if complete:
                break
        return found

    def _read(self, path: Path) -> list[JournalRow] | None:
        """The changes in a journal; `None` if it was removed meanwhile."""
        try:
            with (
                journal_errors(path),
                open_journal(path, self._timeout_s, create=False) as journal,
            ):
                return list(read_rows(journal))
        except JournalError:
            if path.exists():
                raise
            return None

    def take_parked(
        self, tiers: AbstractSet[str], keys: Container[str] | None = None
    ) -> list[JournalRow]:
        """Move the parked changes of all processes into the own file, no longer parked.

        Args:
            tiers: The tiers of this stack; a change for others too stays where it is.
            keys: The keys to move; `None` for all.
        """
        taken = []
        for path in journal_files(self._directory):
            with journal_errors(path), open_journal(path, self._timeout_s) as journal:
                rows = [
                    row
                    for row in read_rows(journal)
                    if row.trouble and row.tiers <= tiers and (keys is None or row.key in keys)
                ]
                # Copied before it is deleted: in between it is there twice, never nowhere.
                taken += [copy for row in rows if (copy := self._copy(row)) is not None]
                if path != self._own.path:
                    with transaction(journal):
                        delete_rows(journal, rows)
        return taken

    def _copy(self, row: JournalRow) -> JournalRow | None:
        """Store a change of another journal in the own file, unless that has a newer one."""
        with self._own.change("take_parked") as own:
            serial = insert_unless_newer(own, row._replace(trouble=""))
        return row._replace(serial=serial, trouble="") if serial else None

    def drop_parked(self, tiers: AbstractSet[str], keys: Container[str] | None = None) -> int:
        """Remove the parked changes of all processes; the number of them."""
        rows = self.take_parked(tiers, keys)
        self.forget(rows)
        return len(rows)

    def clear(self, prefix: str, as_of_s: float) -> None:
        """Remove cleared changes: the own ones, those of dead processes, and all parked ones.

        A live process keeps its queued changes, and writes them as of the time they were made.

        Args:
            prefix: The beginning of the cleared keys.
            as_of_s: The time of the clear, by the wall clock; later changes stay.
        """
        for path in journal_files(self._directory):
            if path == self._own.path:
                with self._own.change("clear") as own:
                    delete_rows(own, rows_to_clear(own, prefix, as_of_s))
            else:
                self._clear_other(path, prefix, as_of_s)

    def _clear_other(self, path: Path, prefix: str, as_of_s: float) -> None:
        ownership = Ownership.take(lock_of(path))
        try:
            with (
                journal_errors(path),
                open_journal(path, self._timeout_s) as journal,
                transaction(journal),
            ):
                rows = rows_to_clear(journal, prefix, as_of_s)
                delete_rows(journal, [row for row in rows if row.trouble or ownership is not None])
        finally:
            if ownership is not None:
                ownership.release()

    def adopt(self, tiers: AbstractSet[str], most: float = math.inf) -> list[JournalRow]:
        """Move the changes of dead processes into the own file; those that are not parked.

        Costs a directory listing if there is no other journal.

        Args:
            tiers: The tiers of this stack; a change for others too is left to another process.
            most: No further journal is adopted after so many changes.
        """
        adopted: list[JournalRow] = []
        for path in journal_files(self._directory):
            if len(adopted) >= most:
                break
            ownership = None if path == self._own.path else Ownership.take(lock_of(path))
            if ownership is None:
                continue
            try:
                adopted += self._adopt(path, tiers)
            except (JournalError, sqlite3.Error, OSError) as error:
                self._report(path, error)
            finally:
                ownership.release()
        return adopted

    def _adopt(self, path: Path, tiers: AbstractSet[str]) -> list[JournalRow]:
        if not path.exists():  # another process adopted it first
            lock_of(path).unlink(missing_ok=True)
            return []
        adopted = []
        with open_journal(path, self._timeout_s) as journal:
            rows = list(read_rows(journal))
            usable = [row for row in rows if row.tiers <= tiers]
            with self._own.change("adopt") as own:
                for row in usable:
                    serial = insert_unless_newer(own, row)
                    if serial and not row.trouble:
                        adopted.append(row._replace(serial=serial))
            if len(usable) < len(rows):
                with transaction(journal):
                    delete_rows(journal, usable)
                return adopted
        remove_journal(path)
        return adopted

    def _report(self, path: Path, error: Exception) -> None:
        """Log once that a dead process's journal can't be read, and put it aside if it is damaged."""
        if path in self._unreadable:
            return
        self._unreadable.add(path)
        if is_damage(error):
            path = path.rename(path.with_suffix(".unreadable"))
        _log.error(
            "The journal %s of a dead process can't be read, so its queued changes are not "
            "written: %s",
            path,
            error,
        )


def _entry(row: JournalRow, owner: str) -> JournalEntry:
    size = len(row.record or b"")
    deletes = row.record is None
    return JournalEntry(row.key, deletes, size, row.as_of_s, row.trouble, owner, row.clears)
