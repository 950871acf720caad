"""A board that is damaged, locked, removed or full of foreign rows costs statistics only."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest
import redis

from tests.patience import patient_redis
from tiered_cache import DiskTier, MemoryTier, TieredCache
from tiered_cache.contracts.boards import MAX_NOTICE_BYTES, Board
from tiered_cache.errors import RecordRefusedError, TierTimeoutError, TierUnavailableError
from tiered_cache.testing import FakeClock
from tiered_cache.tiers.disk._board import DiskBoard
from tiered_cache.tiers.redis._board import RedisBoard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "board.db"


@pytest.fixture
def board(path: Path) -> Iterator[DiskBoard]:
    made = DiskBoard(0.1, "disk")
    made.open(path, FakeClock().wall)
    yield made
    made.close()


@pytest.mark.proves("counting/board-faults")
def test_law_9_a_damaged_board_is_recreated(path: Path, board: DiskBoard) -> None:
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(TierUnavailableError):
        board.names("")
    assert board.put("a", b"1", 60.0, new=True)
    assert list(board.names("")) == ["a"]


def test_law_9_foreign_rows_are_not_read(path: Path, board: DiskBoard) -> None:
    board.put("a", b"1", 60.0, new=True)
    with sqlite3.connect(path) as foreign:
        foreign.execute("INSERT INTO notices VALUES ('b', 'text', 5.0)")
        foreign.execute("INSERT INTO notices VALUES (x'00ff', x'00', 5.0)")
        foreign.execute("INSERT INTO notices VALUES ('c', x'00', 'soon')")
        foreign.execute("INSERT INTO notices VALUES ('d', zeroblob(2000000), 5.0)")
    foreign.close()
    assert [each.name for each in board.read("")] == ["a"]


@pytest.mark.proves("counting/board-faults")
def test_a_board_with_a_removed_directory_is_created_again(
    tmp_path: Path, path: Path, board: DiskBoard
) -> None:
    nested = tmp_path / "directory" / "board.db"
    board.open(nested, FakeClock().wall)
    assert board.put("a", b"1", 60.0, new=True)
    shutil.rmtree(nested.parent)
    assert board.put("b", b"2", 60.0, new=True)
    other = DiskBoard(0.1, "disk")
    other.open(nested, FakeClock().wall)
    assert list(other.names("")) == ["b"]
    other.close()


def test_a_board_of_a_newer_format_is_left_alone(path: Path, board: DiskBoard) -> None:
    with contextlib.closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version = 7")
    content = path.read_bytes()
    with pytest.raises(TierUnavailableError, match="format 7, which is newer"):
        board.names("")
    assert path.read_bytes() == content


def test_law_8_a_locked_board_is_given_up_in_time(path: Path, board: DiskBoard) -> None:
    board.put("a", b"1", 60.0, new=True)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(TierTimeoutError):
        board.put("a", b"2", 60.0)
    other.execute("ROLLBACK")
    other.close()
    assert board.put("a", b"3", 60.0)


def test_law_8_a_thread_that_does_not_come_back_is_given_up(board: DiskBoard) -> None:
    inside, leave = threading.Event(), threading.Event()

    def stay() -> None:
        with board._database.use("read_notices"):
            inside.set()
            leave.wait(30)

    thread = threading.Thread(target=stay)
    thread.start()
    inside.wait(30)
    with pytest.raises(TierTimeoutError):
        board.names("")
    leave.set()
    thread.join(30)
    assert list(board.names("")) == []


@pytest.mark.proves("counting/board-faults")
def test_law_1_where_nothing_can_be_published_the_cache_works(
    tmp_path: Path, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".statistics").write_text("in the way")
    with TieredCache([MemoryTier(), DiskTier(tmp_path)], namespace=namespace) as cache:
        assert cache.get_or_compute("key", lambda: 1) == 1
        cache._source.core()._publisher.publish(60.0)
        assert cache.get("key") == 1
        assert cache.fleet().reach == "process"
        assert cache.stats().tier("disk").breaker == "closed"
    assert "statistics failed" in caplog.text


@pytest.mark.proves("counting/board-faults")
def test_law_9_a_foreign_key_in_the_place_of_a_redis_board(redis_url: str, namespace: str) -> None:
    with (
        redis.Redis.from_url(redis_url) as client,
        TieredCache([MemoryTier(), patient_redis(redis_url)], namespace=namespace) as cache,
    ):
        cache.get("key")
        publisher = cache._source.core()._publisher
        publisher.publish(60.0)
        found = [*client.scan_iter(f"*{namespace}*")]
        (name,) = [each for each in found if b"statistics" in each]
        client.hset(name, mapping={"now:x": b"short", "now:y": b"x" * 40, "\u20ac": b"z"})
        fleet = cache.fleet()
        assert (fleet.reach, fleet.stats.misses, fleet.stats.processes) == ("cluster", 1, 1)
        client.delete(name)
        client.set(name, "a string")
        publisher.publish(60.0)
        assert cache.get_or_compute("key", lambda: 2) == 2
        assert cache.fleet().reach == "process"


def test_both_boards_refuse_a_long_notice_in_the_same_words(board: DiskBoard) -> None:
    remote = RedisBoard(lambda *_: [], "redis")
    boards: list[Board] = [board, remote]
    for each in boards:
        with pytest.raises(RecordRefusedError) as caught:
            each.put("a", bytes(MAX_NOTICE_BYTES + 1), 60.0)
        assert caught.value.message == "a notice has 1048577 bytes: expected at most 1048576"
