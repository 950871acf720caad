"""Disks that are full, locked, damaged or hostile, and processes that are killed."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tiered_cache import (
    ConfigurationError,
    DiskTier,
    LookupStatus,
    MemoryTier,
    RedisTier,
    TieredCache,
    TierTimeoutError,
    TierUnavailableError,
    WriteOutcome,
)
from tiered_cache.tiers.disk._store import LOOK_S

if TYPE_CHECKING:
    from collections.abc import Callable

GENEROUS_S = 8.0


def stack(path: Path, **options: object) -> TieredCache:
    return TieredCache([MemoryTier(), DiskTier(path, timeout="200ms")], **options)  # type: ignore[arg-type] # passed on


def forget_memory(cache: TieredCache) -> None:
    cache._source.core().stack.levels[0].tier.clear()


def database(path: Path) -> Path:
    return path / "default" / "cache.db"


def row(path: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(database(path))
    with connection:
        connection.execute(statement, values)
    connection.close()


def test_a_path_that_is_a_file_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="is a file: name a directory"):
        stack(tmp_path / "file")


def test_an_unwritable_directory_raises_alone_and_is_skipped_in_a_stack(
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = Path("/proc/unwritable")
    with pytest.raises(TierUnavailableError, match="unwritable"):
        TieredCache([DiskTier(path)])
    with stack(path) as cache:
        assert cache.get_or_compute("key", lambda: 1) == 1
        assert cache.get("key") == 1
        assert cache.stats().tier("disk").breaker == "open"
    assert "starts without it and retries it later" in caplog.text


def test_a_closed_tier_does_not_recreate_its_directory(tmp_path: Path) -> None:
    """A thread may still wait for changes when the cache is closed and its directory removed."""
    tier = DiskTier(tmp_path / "cache")
    with TieredCache([MemoryTier(), tier]) as cache:
        cache.set("key", 1)
    shutil.rmtree(tmp_path / "cache")
    with pytest.raises(TierUnavailableError, match="is closed"):
        tier.offers.change_log.wait(0, 0.01)  # type: ignore[union-attr] # a disk tier has one
    assert not (tmp_path / "cache").exists()
    with TieredCache([MemoryTier(), tier]) as cache:
        assert cache.set("key", 2)


@pytest.mark.proves("law-7/directory-removed")
def test_law_7_a_directory_removed_in_between_is_recreated(
    tmp_path: Path,
) -> None:
    with TieredCache([MemoryTier(), DiskTier(tmp_path)]) as cache:
        cache.set("key", 1)
        cache.get_or_compute("leased", lambda: 1)
        shutil.rmtree(tmp_path)
        assert [each.outcome for each in cache.set("key", 2).tiers] == ["written", "written"]
        assert cache.get_or_compute("leased again", lambda: bytes(40_000)) == bytes(40_000)
        with TieredCache([DiskTier(tmp_path)]) as other_process:
            assert other_process.get("key") == 2
            assert other_process.get("leased again") == bytes(40_000)
            leases = other_process._source.core().stack.levels[0].leases
            assert leases is not None
            leases.acquire("taken", "other", 60)
            single_flight = cache._source.core().stack.levels[1].leases
            assert single_flight is not None
            assert not single_flight.acquire("taken", "own", 60).granted


@pytest.mark.proves("law-5/directory-replaced")
def test_law_5_a_reader_notices_that_the_directory_was_replaced(tmp_path: Path) -> None:
    tier = DiskTier(tmp_path)
    with TieredCache([tier]) as cache:
        cache.set("key", 1)
        shutil.rmtree(tmp_path)
        with TieredCache([DiskTier(tmp_path)]) as other_process:
            other_process.set("key", 2)
            tier._store.looked_s -= LOOK_S  # as if so much time had passed
            assert cache.get("key") == 2


@pytest.mark.proves("law-9/foreign-database")
@pytest.mark.parametrize("content", [b"garbage " * 1000, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_law_9_a_database_that_is_none_is_put_aside(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        database(tmp_path).parent.mkdir(exist_ok=True)
        for left in database(tmp_path).parent.glob("cache.db-*"):
            left.unlink(missing_ok=True)  # or a thread of the last cache did
        database(tmp_path).write_bytes(content)
        with stack(tmp_path) as cache:
            assert cache.get("key") is None
            assert cache.set("key", 1)
    assert "put aside" in caplog.text
    assert len(list(tmp_path.glob("default.quarantined-*"))) == 1, "only the last one is kept"


@pytest.mark.proves("law-9/foreign-database")
def test_law_9_settings_of_another_program_are_not_applied(tmp_path: Path) -> None:
    stack(tmp_path).close()
    row(tmp_path, "INSERT INTO Settings VALUES ('disk_pickle_protocol_evil', 1)")
    with stack(tmp_path) as cache:
        assert cache.set("key", 1)
    assert list(tmp_path.glob("default.quarantined-*"))


class Bomb:
    """Runs when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.mark,))


@pytest.mark.proves("law-9/database-rows")
def test_law_9_nothing_in_a_row_is_unpickled(tmp_path: Path) -> None:
    mark = tmp_path / "it ran"
    bomb = pickle.dumps(Bomb(mark))
    with stack(tmp_path) as cache:
        cache.set_many({"value": 1, "file": 1, "key": 1})
        row(tmp_path, "UPDATE Cache SET mode = 4, value = ? WHERE key = 'value'", bomb)
        (tmp_path / "default" / "bomb.val").write_bytes(bomb)
        row(
            tmp_path,
            "UPDATE Cache SET mode = 4, value = NULL, filename = 'bomb.val' WHERE key = 'file'",
        )
        row(tmp_path, "UPDATE Cache SET key = ?, raw = 0 WHERE key = 'key'", bomb)
        forget_memory(cache)
        assert [cache.lookup(key).status for key in ("value", "file", "key")] == [
            LookupStatus.MISS
        ] * 3
        assert list(cache.keys()) == []
        assert cache.stats().tier("disk").corrupt == 2
        assert cache.stats().tier("disk").breaker == "closed"
    assert not mark.exists()


@pytest.mark.proves("law-9/confined")
@pytest.mark.parametrize(
    "name", ["../../outside.val", "/etc/hostname", "link.val", "00/11/../../../x.val", "", "\x00"]
)
def test_law_9_no_file_outside_the_directory_is_read(name: str, tmp_path: Path) -> None:
    (tmp_path / "outside.val").write_bytes(b"secret of somebody else")
    with stack(tmp_path) as cache:
        cache.set("key", 1)
        (tmp_path / "default" / "link.val").symlink_to(tmp_path / "outside.val")
        row(tmp_path, "UPDATE Cache SET mode = 2, value = NULL, filename = ?", name)
        forget_memory(cache)
        assert cache.lookup("key").status is LookupStatus.MISS
        assert cache.stats().tier("disk").corrupt == 1


@pytest.mark.proves("law-9/confined")
@pytest.mark.parametrize("name", ["../../victim", "{}/victim"])
@pytest.mark.parametrize(
    "remove",
    [
        lambda cache: cache.get("key"),
        lambda cache: cache.set("key", 2),
        lambda cache: cache.delete("key"),
        lambda cache: cache.clear(),
        lambda cache: cache.invalidate_prefix("k"),
    ],
    ids=["get", "set", "delete", "clear", "clear a prefix"],
)
def test_law_9_no_file_outside_the_directory_is_removed(
    remove: Callable[[TieredCache], object], name: str, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"of another program")
    with stack(tmp_path / "cache") as cache:
        cache.set("key", 1)
        statement = "UPDATE Cache SET mode = 2, value = NULL, filename = ?"
        row(tmp_path / "cache", statement, name.format(tmp_path))
        forget_memory(cache)
        remove(cache)
        assert cache.get("key") in (None, 2)
    assert victim.exists()


@pytest.mark.proves("law-9/confined")
def test_law_9_a_link_with_a_proper_name_is_not_followed(tmp_path: Path) -> None:
    with stack(tmp_path) as cache:
        cache.set("key", "x" * 100_000)
        (file,) = (tmp_path / "default").rglob("*.val")
        file.rename(tmp_path / "elsewhere")
        file.symlink_to(tmp_path / "elsewhere")
        forget_memory(cache)
        assert cache.get("key") is None


@pytest.mark.proves("law-9/unusable-bytes")
@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "remove"])
def test_a_damaged_file_is_a_miss_and_is_removed(damage: str, tmp_path: Path) -> None:
    with stack(tmp_path) as cache:
        cache.set("key", "x" * 100_000)
        (file,) = (tmp_path / "default").rglob("*.val")
        content = file.read_bytes()
        if damage == "remove":
            file.unlink()
        else:
            flipped = content[:5000] + bytes([content[5000] ^ 1]) + content[5001:]
            file.write_bytes({"truncate": content[:-1], "flip": flipped, "empty": b""}[damage])
        forget_memory(cache)
        assert cache.lookup("key").status is LookupStatus.MISS
        assert cache.get_or_compute("key", lambda: "again") == "again"
        assert [each.present for each in cache.explain("key")] == [True, True]


@pytest.mark.proves("law-8/database-locked")
def test_law_8_a_locked_database_costs_its_deadline(tmp_path: Path) -> None:
    with stack(tmp_path) as cache:
        cache.set("old", 1)
        other = sqlite3.connect(database(tmp_path), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        result = cache.set("key", 1)
        assert time.monotonic() - started < GENEROUS_S
        assert result.tiers[1].outcome is WriteOutcome.FAILED
        forget_memory(cache)
        assert cache.get("old") == 1, "readers don't wait for a writer"
        with pytest.raises(TierTimeoutError, match="locked"):
            DiskOnly(tmp_path)
        other.execute("ROLLBACK")
        other.close()
        assert cache.set("key", 2)
        assert cache.get("key") == 2


def DiskOnly(path: Path) -> TieredCache:  # noqa: N802 - reads as a kind of cache
    return TieredCache([DiskTier(path, timeout="200ms")])


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    """A file system of 3 MB of its own."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", place], check=True)
    return place


@pytest.mark.proves("law-7/disk-full")
@pytest.mark.needs_root
def test_a_full_disk_refuses_writes_and_loses_nothing(small_disk: Path) -> None:
    other = small_disk / "something else"
    other.write_bytes(bytes(500_000))
    try:
        with stack(small_disk, failures_to_open=1000) as cache:
            results = {f"key-{n}": cache.set(f"key-{n}", os.urandom(50_000)) for n in range(100)}
            failed = [k for k, r in results.items() if r.tiers[1].outcome is WriteOutcome.FAILED]
            assert failed
            assert "full" in next(r for r in results.values() if not r).tiers[1].reason
            written = results.keys() - set(failed)
            forget_memory(cache)
            assert cache.get_many(written).keys() == written
            assert not cache.get_many(failed)
            rows = len(list((small_disk / "default").rglob("*.val")))
            assert rows <= len(written), "no file is left of a write that failed"
            other.unlink()  # a clear needs some room as well
            cache.clear()
            assert cache.set("key", b"there is room again" * 1000)
    finally:
        subprocess.run(["umount", "-l", small_disk], check=True)


WRITER = """
import sys
from tiered_cache import DiskTier, TieredCache
cache = TieredCache([DiskTier(sys.argv[1])])
number = 0
while True:
    key = f"key-{number}"
    assert cache.set(key, [number, "x" * (number % 7 * 10_000)])
    if number % 5 == 4:
        assert cache.delete(f"key-{number - 2}")
        print("deleted", number - 2, flush=True)
    print("stored", number, flush=True)
    number += 1
"""


@pytest.mark.proves("law-7/written-survives")
@pytest.mark.parametrize("after", [1, 13, 40])
def test_law_7_acknowledged_writes_survive_sigkill(after: int, tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(after)]
    child.send_signal(signal.SIGKILL)
    lines += child.stdout.readlines()
    child.wait()
    child.stdout.close()
    acknowledged = [line.split() for line in lines if line.endswith("\n")]
    stored = {int(n) for change, n in acknowledged if change == "stored"}
    deleted = {int(n) for change, n in acknowledged if change == "deleted"}
    assert stored
    with DiskOnly(tmp_path) as cache:
        for number in stored - deleted:
            value = cache.get(f"key-{number}")
            # The next deletion may have been done and not yet acknowledged.
            if value is None and number + 2 not in stored and number % 5 == 2:
                continue
            assert value == [number, "x" * (number % 7 * 10_000)]
        for number in deleted:
            assert cache.get(f"key-{number}") is None


@pytest.mark.proves("law-10/disk")
def test_law_10_the_directory_stays_within_its_bound(tmp_path: Path) -> None:
    with TieredCache([DiskTier(tmp_path, max_bytes="2MiB")]) as cache:
        for number in range(300):
            cache.set(f"key-{number}", os.urandom(30_000))
        stats = cache.stats().tier("disk")
        assert stats.bytes is not None
        assert stats.bytes <= 2 * 2**20 + 10 * 31_000
        on_disk = sum(f.stat().st_size for f in (tmp_path / "default").rglob("*.val"))
        assert on_disk <= 2 * 2**20 + 10 * 31_000
        assert cache.get("key-299") is not None


def test_threads_that_open_a_new_directory_at_once_all_can(tmp_path: Path) -> None:
    from tiered_cache.testing import race

    def use(number: int) -> object:
        with TieredCache([DiskTier(tmp_path, timeout="20s")]) as cache:
            assert cache.set(f"key-{number}", number)
            return cache.get(f"key-{number}")

    assert race(16, use) == list(range(16))


def test_a_limit_on_records_that_nothing_fits_is_refused(tmp_path: Path) -> None:
    for tier in (DiskTier, RedisTier):
        with pytest.raises(ConfigurationError, match="at least 128"):
            tier(max_value_bytes=127)
    with TieredCache([DiskTier(tmp_path, max_value_bytes=128)]) as cache:
        cache.set("k", 1)
        assert cache.delete("k")
        assert cache.get("k") is None


def test_max_bytes_that_hold_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="at least 1MiB"):
        DiskTier(tmp_path, max_bytes=1000)


@pytest.mark.proves("law-10/connections")
def test_connections_of_threads_that_ended_are_closed(tmp_path: Path) -> None:
    import psutil

    from tiered_cache.testing import race

    with DiskOnly(tmp_path) as cache:
        cache.set("key", 1)
        for _ in range(10):
            race(8, lambda _: cache.get("key"))
        open_files = [each.path for each in psutil.Process().open_files()]
        # SQLite keeps the descriptors of closed connections for the next ones of the process.
        assert open_files.count(str(database(tmp_path))) <= 9
