"""Side databases: transactions, repair, and the difference that durability makes."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tiered_cache._sqlite.database_file import DatabaseLayout, connect, transaction
from tiered_cache._sqlite.side_database import SideDatabase
from tiered_cache.errors import TieredCacheError
from tiered_cache.testing import in_forked_child

if TYPE_CHECKING:
    from pathlib import Path

TABLE = "CREATE TABLE IF NOT EXISTS numbers (number INTEGER PRIMARY KEY)"
INSERT = "INSERT INTO numbers VALUES (?)"


class FailureError(TieredCacheError):
    """The error of the tests' databases; `key` tells whether a lock was not free in time."""


def make_error(message: str, *, timed_out: bool, operation: str, key: str | None) -> Any:
    return FailureError(message, operation=operation, key=f"{key}: {timed_out}")


def make(path: Path, *, durable: bool, version: int = 0) -> SideDatabase:
    layout = DatabaseLayout("test database", TABLE, version=version, durable=durable)
    return SideDatabase(layout, 0.1, lambda: path, make_error)


def insert(database: SideDatabase, *numbers: int) -> None:
    with database.change("insert") as connection:
        connection.executemany(INSERT, [(number,) for number in numbers])


def numbers(database: SideDatabase) -> list[int]:
    with database.use("read") as connection:
        return [number for (number,) in connection.execute("SELECT number FROM numbers")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "directory" / "numbers.db"


@pytest.mark.parametrize("durable", [False, True])
def test_a_change_that_raises_changes_nothing(durable: bool, path: Path) -> None:
    database = make(path, durable=durable)
    insert(database, 1)
    with pytest.raises(FailureError, match="UNIQUE"):
        insert(database, 2, 2)
    assert numbers(database) == [1]
    database.close()


def test_a_connection_that_was_closed_inside_a_change_is_replaced(path: Path) -> None:
    """As by a signal handler that uses the database in the middle of a change, and fails."""
    database = make(path, durable=False)
    insert(database, 1)
    with pytest.raises(FailureError, match="closed"), database.change("close") as connection:
        connection.close()
    assert numbers(database) == [1], "a mistake of ours is no damage"
    database.close()


@pytest.mark.parametrize(("durable", "left"), [(False, [2]), (True, [1, 2])])
def test_a_removed_file_is_created_again_unless_it_is_durable(
    durable: bool, left: list[int], path: Path
) -> None:
    database = make(path, durable=durable)
    insert(database, 1)
    for file in path.parent.iterdir():
        file.unlink()
    insert(database, 2)
    assert numbers(database) == left
    assert path.exists() is not durable
    database.close()


@pytest.mark.parametrize("durable", [False, True])
def test_a_damaged_file_is_removed_unless_it_is_durable(durable: bool, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database" * 1000)
    database = make(path, durable=durable)
    with pytest.raises(FailureError, match=r"the test database in .* failed: .*not a database"):
        numbers(database)
    assert path.exists() is durable
    if not durable:
        assert numbers(database) == []
        database.close()


def test_a_newer_format_is_refused_and_an_older_one_is_used(path: Path) -> None:
    make(path, durable=True, version=1).close()
    newer = make(path, durable=True, version=2)
    assert numbers(newer) == []
    newer.close()
    older = make(path, durable=True, version=1)
    with pytest.raises(FailureError, match="format 2, which is newer than this release"):
        numbers(older)


def test_law_8_each_use_has_a_deadline(path: Path) -> None:
    database = make(path, durable=False)
    assert numbers(database) == []
    inside, leave = threading.Event(), threading.Event()

    def stay() -> None:
        with database.use("stay"):
            inside.set()
            leave.wait(30)

    thread = threading.Thread(target=stay)
    thread.start()
    inside.wait(30)
    for use in (lambda: numbers(database), database.close):
        with pytest.raises(FailureError, match="other threads used the test database") as raised:
            use()
        assert raised.value.key == "None: True"
    leave.set()
    thread.join(30)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(FailureError, match="locked") as raised, database.change("x", "key"):
            pass
        assert (raised.value.operation, raised.value.key) == ("x", "key: True")
        other.execute("ROLLBACK")
    assert numbers(database) == []
    database.close()


def test_a_forked_child_opens_its_own_connection_while_a_thread_of_the_parent_holds_the_lock(
    path: Path,
) -> None:
    database = make(path, durable=True)
    insert(database, 1)

    def child() -> Any:
        insert(database, 2)
        database.close()
        return True

    taken, leave = threading.Event(), threading.Event()

    def hold() -> None:
        # Not `use`, for which a fork would wait.
        with database._lock:
            taken.set()
            leave.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait(30)
    assert in_forked_child(child) is True
    leave.set()
    thread.join(30)
    assert numbers(database) == [1, 2]
    database.close()


def test_a_commit_that_fails_leaves_no_transaction_open(path: Path) -> None:
    table = (
        "CREATE TABLE numbers (id PRIMARY KEY, a REFERENCES numbers DEFERRABLE INITIALLY DEFERRED)"
    )
    with contextlib.closing(connect(path, DatabaseLayout("test", table), 1.0)) as connection:
        connection.execute("PRAGMA foreign_keys = on")
        with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"), transaction(connection):
            connection.execute("INSERT INTO numbers VALUES (1, 7)")
        assert not connection.in_transaction
        assert connection.execute("SELECT count(*) FROM numbers").fetchone() == (0,)
