"""The rows of a journal: one for each queued change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache.contracts.journal import JournalRow

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

__all__ = ["delete_rows", "insert_row", "insert_unless_newer", "read_rows", "rows_to_clear"]

_SELECT = "SELECT serial, key, record, as_of_s, tiers, trouble, clears FROM changes ORDER BY serial"
_INSERT = (
    "INSERT OR REPLACE INTO changes (key, record, as_of_s, tiers, trouble, clears)"
    " SELECT :key, :record, :as_of_s, :tiers, :trouble, :clears"
)
_INSERT_UNLESS_NEWER = (
    f"{_INSERT} WHERE NOT EXISTS (SELECT 1 FROM changes"  # noqa: S608 - constants
    " WHERE key = :key AND clears = :clears AND as_of_s > :as_of_s)"
)


def read_rows(connection: sqlite3.Connection) -> Iterator[JournalRow]:
    """All changes of a journal, oldest first, without rows that a journal never writes."""
    for serial, key, record, as_of_s, tiers, trouble, clears in connection.execute(_SELECT):
        plain = type(key) is str and type(record) in (bytes, type(None))
        if plain and type(as_of_s) is float and type(tiers) is type(trouble) is str:
            names = frozenset(tiers.split("\n"))
            yield JournalRow(serial, key, record, as_of_s, names, trouble, clears == 1)


def rows_to_clear(connection: sqlite3.Connection, prefix: str, as_of_s: float) -> list[JournalRow]:
    """The changes that a clear of `prefix` at `as_of_s` covers; other clears are not among them."""
    return [
        row
        for row in read_rows(connection)
        if row.key.startswith(prefix) and row.as_of_s <= as_of_s and not row.clears
    ]


def insert_row(connection: sqlite3.Connection, row: JournalRow) -> int:
    """Replace the change of the row's key, if there is one; the new serial."""
    return int(connection.execute(_INSERT, _columns(row)).lastrowid or 0)


def insert_unless_newer(connection: sqlite3.Connection, row: JournalRow) -> int:
    """Insert a row as `insert_row` does; 0 if the journal holds a newer change of its key."""
    cursor = connection.execute(_INSERT_UNLESS_NEWER, _columns(row))
    return int(cursor.lastrowid or 0) if cursor.rowcount > 0 else 0


def delete_rows(connection: sqlite3.Connection, rows: Sequence[JournalRow]) -> None:
    """Delete rows by their serials; one that was replaced has another serial, and stays."""
    connection.executemany("DELETE FROM changes WHERE serial = ?", [(row.serial,) for row in rows])


def _columns(row: JournalRow) -> dict[str, Any]:
    return {**row._asdict(), "tiers": "\n".join(sorted(row.tiers))}
