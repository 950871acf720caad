"""The journal on disk: its rows, its owner, and the adoption of a dead process's changes."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.journals import write_row
from tiered_cache.contracts import JournalRow
from tiered_cache.errors import JournalError
from tiered_cache.journal import DiskJournal, disk_journal
from tiered_cache.journal._journal_file import journal_files
from tiered_cache.testing import in_forked_child

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


TIERS = frozenset({"disk", "redis"})


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[DiskJournal]:
    made = DiskJournal(tmp_path)
    yield made
    made.close()


def left_by_a_dead_process(folder: Path, *changes: tuple[str, bytes | None, float]) -> None:
    """Let a child journal changes, then kill it."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        try:
            journal = DiskJournal(folder)
            for key, record, as_of_s in changes:
                write_row(journal, key, record, as_of_s, TIERS)
            os.write(writing, b"x")
            signal.pause()
        finally:
            os._exit(1)
    os.close(writing)
    written = os.read(reading, 1)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(reading)
    assert written, "the child failed by itself"


def shown(journal: DiskJournal) -> list[tuple[str, int, str, str]]:
    return [(each.key, each.bytes, each.trouble, each.owner) for each in journal.entries()]


def test_a_change_takes_the_place_of_an_earlier_one(journal: DiskJournal) -> None:
    first = write_row(journal, "key", b"one", 1.0, TIERS)
    second = write_row(journal, "key", None, 2.0, TIERS)
    assert shown(journal) == [("key", 0, "", "this")]
    journal.forget([first])
    assert shown(journal) == [("key", 0, "", "this")], "its successor stays"
    journal.forget([second])
    assert shown(journal) == []


def test_a_later_change_replaces_an_earlier_one_even_with_an_older_time(
    journal: DiskJournal,
) -> None:
    earlier = write_row(journal, "key", b"earlier", 2.0, TIERS)
    write_row(journal, "key", b"later", 1.0, TIERS)
    journal.forget([earlier])
    assert shown(journal) == [("key", 5, "", "this")]


def test_an_older_change_of_a_dead_process_does_not_take_the_place_of_a_newer_one(
    journal: DiskJournal, tmp_path: Path
) -> None:
    write_row(journal, "key", b"newer", 2.0, TIERS)
    left_by_a_dead_process(tmp_path, ("key", b"older!", 1.0))
    assert journal.adopt(TIERS) == []
    assert shown(journal) == [("key", 5, "", "this")]


def test_cleared_changes_are_removed_from_all_journals_without_another_writer(
    journal: DiskJournal, tmp_path: Path
) -> None:
    write_row(journal, "a/1", b"1", 1.0, TIERS)
    write_row(journal, "b", b"2", 1.0, TIERS)
    write_row(journal, "a/later", b"3", 9.0, TIERS)
    left_by_a_dead_process(tmp_path, ("a/2", b"4", 1.0), ("c", b"5", 1.0))
    journal.clear("a/", 5.0)
    assert sorted(each.key for each in journal.entries()) == ["a/later", "b", "c"]
    other = DiskJournal(tmp_path)
    row = write_row(other, "a/3", b"6", 1.0, TIERS)
    journal.clear("a/", 5.0)
    assert "a/3" in [each.key for each in journal.entries()], "it is the other's to write"
    other.park(row, "refused")
    journal.clear("a/", 5.0)
    assert "a/3" not in [each.key for each in journal.entries()]
    other.close()


@pytest.mark.proves("law-7/journal-takeover")
def test_a_dead_process_leaves_its_changes_to_the_next(
    journal: DiskJournal, tmp_path: Path
) -> None:
    left_by_a_dead_process(tmp_path, ("a", b"1", 1.0), ("b", None, 2.0))
    assert {each.owner for each in journal.entries()} == {"dead"}
    rows = journal.adopt(TIERS)
    assert [(row.key, row.record, row.as_of_s) for row in rows] == [
        ("a", b"1", 1.0),
        ("b", None, 2.0),
    ]
    assert {each.owner for each in journal.entries()} == {"this"}
    assert journal.adopt(TIERS) == [], "no journal of another process is left"
    journal.forget(rows)
    journal.close()
    assert [path.name for path in tmp_path.iterdir()] == []


def test_changes_for_a_missing_tier_are_left_to_a_process_that_has_it(
    journal: DiskJournal, tmp_path: Path
) -> None:
    left_by_a_dead_process(tmp_path, ("a", b"1", 1.0))
    assert journal.adopt({"disk"}) == []
    assert [each.owner for each in journal.entries()] == ["dead"]
    assert [row.key for row in journal.adopt({"disk", "redis", "more"})] == ["a"]


def test_a_newer_change_of_our_own_is_not_replaced_by_an_adopted_one(
    journal: DiskJournal, tmp_path: Path
) -> None:
    write_row(journal, "a", b"ours", 5.0, TIERS)
    left_by_a_dead_process(tmp_path, ("a", b"1", 1.0))
    assert journal.adopt(TIERS) == []
    assert shown(journal) == [("a", 4, "", "this")]


@pytest.mark.proves("law-7/journal-takeover")
def test_law_7_a_living_process_keeps_its_journal(journal: DiskJournal, tmp_path: Path) -> None:
    write_row(journal, "key", b"ours", 1.0, TIERS)

    def child() -> Any:
        other = DiskJournal(tmp_path)
        write_row(other, "theirs", b"", 1.0, TIERS)
        owners = sorted(each.owner for each in other.entries())
        adopted = len(other.adopt(TIERS))
        other.close()
        return [owners, adopted]

    assert in_forked_child(child) == [["other", "this"], 0]
    assert [row.key for row in journal.adopt(TIERS)] == ["theirs"], "the child is dead by now"


def test_law_12_a_forked_child_has_a_journal_of_its_own(
    journal: DiskJournal, tmp_path: Path
) -> None:
    mine = write_row(journal, "parent", b"1", 1.0, TIERS)

    def child() -> Any:
        write_row(journal, "child", b"2", 1.0, TIERS)
        return sorted((each.key, each.owner) for each in journal.entries())

    assert in_forked_child(child) == [["child", "this"], ["parent", "other"]]
    journal.forget([mine])
    assert [row.key for row in journal.adopt(TIERS)] == ["child"]


def test_parked_changes_are_not_adopted_but_can_be_taken(
    journal: DiskJournal, tmp_path: Path
) -> None:
    other = DiskJournal(tmp_path)
    other.park(write_row(other, "poison", b"1", 1.0, TIERS), "too large")
    write_row(other, "waits", b"1", 1.0, TIERS)
    assert ("poison", 1, "too large") in {each[:3] for each in shown(journal)}
    assert journal.take_parked(TIERS, {"absent"}) == []
    (row,) = journal.take_parked(TIERS)
    assert (row.key, row.record, row.trouble) == ("poison", b"1", "")
    assert sorted(each.key for each in other.entries()) == ["poison", "waits"]
    journal.park(row, "again")
    assert journal.drop_parked(TIERS, {"poison"}) == 1
    assert [each.key for each in journal.entries()] == ["waits"]
    other.close()


def test_law_9_rows_of_another_making_are_left_out(journal: DiskJournal, tmp_path: Path) -> None:
    left_by_a_dead_process(tmp_path, ("good", b"1", 1.0))
    (path,) = tmp_path.glob("*.journal")
    with contextlib.closing(sqlite3.connect(path)) as file, file:
        insert = (
            "INSERT INTO changes (key, record, as_of_s, tiers, trouble) VALUES (?, ?, ?, 'disk', ?)"
        )
        file.execute(insert, (b"blob", b"1", 1.0, ""))
        file.execute(insert, ("text", "not bytes", 1.0, ""))
        file.execute(insert, ("when", b"1", "later", ""))
        file.execute(insert, ("trouble", b"1", 1.0, b"\xff"))
    assert [row.key for row in journal.adopt(TIERS)] == ["good"]


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0" + bytes(200), b"\x80\x05N." * 99])
def test_law_9_a_file_that_is_no_journal_is_put_aside(
    content: bytes, journal: DiskJournal, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "1-x.journal").write_bytes(content)
    left_by_a_dead_process(tmp_path, ("good", b"1", 1.0))
    assert [row.key for row in journal.adopt(TIERS)] == ["good"], "it holds up no other"
    if content:
        assert (tmp_path / "1-x.unreadable").read_bytes() == content
        assert "can't be read" in caplog.text
    assert not (tmp_path / "1-x.journal").exists()


def test_a_journal_of_a_newer_release_is_left_alone(
    journal: DiskJournal, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    left_by_a_dead_process(tmp_path, ("key", b"1", 1.0))
    (path,) = tmp_path.glob("*.journal")
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA user_version = 2")
    assert journal.adopt(TIERS) == journal.adopt(TIERS) == []
    assert caplog.text.count("newer than this release") == 1
    assert path.exists()


def test_a_directory_that_cannot_be_written_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    journal = DiskJournal(tmp_path / "file" / "journal")
    with pytest.raises(JournalError, match="Not a directory"):
        write_row(journal, "key", b"1", 1.0, TIERS)
    assert journal.entries() == []
    journal.close()


def test_threads_write_at_once(journal: DiskJournal) -> None:
    with ThreadPoolExecutor(8) as pool:
        rows = list(
            pool.map(lambda n: write_row(journal, str(n), b"x", float(n), TIERS), range(200))
        )
    assert len({row.serial for row in rows}) == 200
    assert len(journal.entries()) == 200
    journal.forget(rows)
    assert journal.entries() == []
    assert isinstance(rows[0], JournalRow)


def test_a_journal_that_is_taken_over_while_all_are_listed_is_still_listed(
    journal: DiskJournal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_by_a_dead_process(tmp_path, ("key", b"value", 1.0))
    write_row(journal, "ours", b"", 2.0, TIERS)
    listed = journal_files
    adopted = False

    def list_and_adopt(directory: Path) -> list[Path]:
        """List the journals, and let another thread adopt one before they are read."""
        nonlocal adopted
        found = listed(directory)
        if not adopted:
            adopted = True
            assert len(journal.adopt(TIERS)) == 1
        return found

    monkeypatch.setattr(disk_journal, "journal_files", list_and_adopt)
    assert [each.key for each in journal.entries()] == ["ours", "key"]
    assert len(listed(tmp_path)) == 1, "the removed file is not recreated"
