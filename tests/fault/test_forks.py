"""Forks: a child shares no connection of SQLite with its parent."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.patience import patient_disk
from tests.puppets import Puppet
from tiered_cache import MemoryTier, TieredCache
from tiered_cache.policies import WriteBack
from tiered_cache.testing import in_forked_child

if TYPE_CHECKING:
    from collections.abc import Callable

TAKEN = "taken"


def disk_cache(path: Path) -> TieredCache:
    return TieredCache([patient_disk(path)])


class Child:
    """A cache that was inherited by a fork."""

    def __init__(self, cache: TieredCache) -> None:
        self.cache = cache

    def get(self, key: str) -> Any:
        return self.cache.get(key)

    def set(self, key: str, value: str) -> None:
        assert self.cache.set(key, value)

    def take(self, key: str) -> bool:
        """Take the lease of `key` and publish a notice, beside the records."""
        tier: Any = self.cache._source.core().stack.levels[-1].tier
        tier.offers.board.put(key, b"", 60.0, new=True)
        return bool(tier.offers.leases.acquire(key, TAKEN, 60.0).granted)


@pytest.mark.proves("law-7/forked-child")
def test_law_7_a_write_of_a_forked_child_survives_the_close_of_the_parents_cache(
    tmp_path: Path,
) -> None:
    cache = disk_cache(tmp_path)
    cache.set("parents", "value")
    cache.get_or_compute("leased", lambda: 1)  # opens the database of leases as well
    with Puppet(lambda: Child(cache)) as child:
        assert child.call("get", "parents") == "value"
        assert child.call("take", "one")
        cache.close()  # the last connection that is closed removes the write-ahead log
        child.call("set", "childs", "value")
        assert child.call("take", "two")
        with disk_cache(tmp_path) as another:
            assert another.get("childs") == "value"
            tier: Any = another._source.core().stack.levels[-1].tier
            assert not tier.offers.leases.acquire("one", "another", 60.0).granted
            assert not tier.offers.leases.acquire("two", "another", 60.0).granted
            assert {"one", "two"} <= set(tier.offers.board.names(""))


@pytest.mark.proves("law-7/forked-child")
def test_law_7_a_write_of_a_child_survives_the_end_of_the_thread_that_used_the_database(
    tmp_path: Path,
) -> None:
    made: list[TieredCache] = []
    has_set, may_end = threading.Event(), threading.Event()

    def use() -> None:
        made.append(disk_cache(tmp_path))
        made[0].set("parents", "value")
        has_set.set()
        may_end.wait(60)

    thread = threading.Thread(target=use)
    thread.start()
    assert has_set.wait(60)
    (cache,) = made
    with Puppet(lambda: Child(cache)) as child:
        assert child.call("get", "parents") == "value"
        may_end.set()
        thread.join()
        with disk_cache(tmp_path) as another:
            another.set("another", "value")
        child.call("set", "childs", "value")
        assert cache.get("childs") == "value"
    cache.close()


_DAEMON = """
import os, sys
from pathlib import Path
from tiered_cache import DiskTier, TieredCache

cache = TieredCache([DiskTier(Path(sys.argv[1]), timeout="20s")])
cache.set("parents", "value")
reading, writing = os.pipe()
if os.fork():
    os.read(reading, 1)
    os._exit(0)
assert cache.get("parents") == "value"
os.write(writing, b"x")
for number in range(3):
    sys.stdin.readline()
    assert cache.set(f"daemons-{number}", "value")
    print(number, flush=True)
"""


@pytest.mark.proves("law-7/forked-child")
def test_law_7_a_write_of_a_daemon_survives_the_end_of_its_parent(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _DAEMON, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        assert parent.wait(60) == 0
        for number in range(3):
            with disk_cache(
                tmp_path
            ) as another:  # the only one beside the daemon's, when it closes
                another.set("another", "value")
            parent.stdin.write("\n")
            parent.stdin.flush()
            assert parent.stdout.readline() == f"{number}\n"
        with disk_cache(tmp_path) as another:
            found = another.get_many([f"daemons-{number}" for number in range(3)])
            assert len(found) == 3


def open_files() -> list[str]:
    numbers = [each for each in Path("/proc/self/fd").iterdir() if each.exists()]
    return [str(each.readlink()) for each in numbers]


@pytest.mark.needs_linux
@pytest.mark.proves("law-7/forked-child")
def test_a_child_inherits_no_open_file_of_any_database(tmp_path: Path) -> None:
    writing = WriteBack(durability="disk", flush_interval="1h", max_delay="2h")
    cache = TieredCache([MemoryTier(), patient_disk(tmp_path)], writing=writing)

    def use(number: int) -> None:
        cache.set(f"{number}", "value")  # journaled
        cache.get_or_compute(f"computed {number}", lambda: 1)

    leave = threading.Event()
    threads = [threading.Thread(target=_use_and_stay, args=(use, leave, n)) for n in range(3)]
    for thread in threads:
        thread.start()
    try:
        use(3)
        found = in_forked_child(lambda: [each for each in open_files() if str(tmp_path) in each])
    finally:
        leave.set()
        for thread in threads:
            thread.join()
    assert [each for each in found if not each.endswith(".lock")] == []
    assert cache.get("3") == "value"
    cache.close()


def _use_and_stay(use: Callable[[int], None], leave: threading.Event, number: int) -> None:
    use(number)
    assert leave.wait(60)
