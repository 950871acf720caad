"""The statistics of real processes that are killed, fork or end normally (law 11)."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.patience import patient_redis
from tiered_cache import AsyncTieredCache, DiskTier, MemoryTier, TieredCache
from tiered_cache.testing import FakeClock, in_forked_child
from tiered_cache.testing.forked_child import start_child
from tiered_cache.testing.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tiered_cache.contracts import Tier

HITS = 25


class Place:
    """The shared tiers of the processes of a test: a disk, and optionally a server."""

    def __init__(self, folder: Path, namespace: str, url: str | None = None) -> None:
        self.folder = folder
        self.namespace = namespace
        self.url = url

    def open(self, clock: FakeClock | None = None) -> TieredCache:
        tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(self.folder)]
        if self.url is not None:
            tiers.append(patient_redis(self.url))
        if clock is None:
            return TieredCache(tiers, namespace=self.namespace)
        return TieredCache(tiers, namespace=self.namespace, clock=clock)

    def later(self) -> TieredCache:
        """A cache an hour in the future, when all notices have run out."""
        return self.open(FakeClock(start_wall=time.time() + 3600))


@pytest.fixture(params=["disk", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path, namespace: str) -> Place:
    url = request.getfixturevalue("redis_url") if request.param == "redis" else None
    return Place(tmp_path, namespace, url)


@pytest.fixture
def disk(tmp_path: Path, namespace: str) -> Place:
    return Place(tmp_path, namespace)


@pytest.fixture
def reader(disk: Place) -> Iterator[TieredCache]:
    with disk.open() as cache:
        yield cache


def use(cache: TieredCache) -> None:
    """One miss and `HITS` hits."""
    for _ in range(HITS + 1):
        cache.get_or_compute("key", lambda: 1)


@pytest.mark.proves("counting/process-once")
def test_law_11_a_killed_process_disappears_and_its_totals_stay(disk: Place) -> None:
    def work() -> None:
        cache = disk.open()
        use(cache)
        cache._source.core()._publisher.publish(600.0)
        os.kill(os.getpid(), signal.SIGKILL)

    with disk.open() as here:
        for number in range(1, 4):
            child = start_child(work)
            os.waitpid(child, 0)
            fleet = here.fleet()
            assert (fleet.stats.lookups, len(fleet.processes)) == (number * (HITS + 1), number)
            assert fleet.gone == 0
    with disk.later() as later:
        fleet = later.fleet()
        assert (fleet.stats.lookups, fleet.gone, fleet.processes) == (3 * (HITS + 1), 3, ())
        later.get("key")
        later._source.core()._publisher._tidy()
        assert later.fleet().stats.lookups == 3 * (HITS + 1) + 1


@pytest.mark.proves("counting/process-once")
def test_law_11_a_process_that_ends_without_closing_is_in_the_totals(place: Place) -> None:
    program = f"""
import sys
from tiered_cache import DiskTier, MemoryTier, RedisTier, TieredCache
tiers = [MemoryTier(), DiskTier({str(place.folder)!r})]
if {place.url!r}:
    tiers.append(RedisTier({place.url!r}, timeout="20s", connect_timeout="20s"))
cache = TieredCache(tiers, namespace={place.namespace!r})
for _ in range({HITS + 1}):
    cache.get_or_compute("key", lambda: 1)
"""
    for _ in range(2):
        subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    with place.open() as cache:
        fleet = cache.fleet()
        assert (fleet.stats.lookups, fleet.gone, fleet.processes) == (2 * (HITS + 1), 2, ())
        assert fleet.stats.computes == 1


def _worker(place: Place) -> None:
    use(place.open())


@pytest.mark.proves("counting/process-once")
def test_law_11_a_worker_of_multiprocessing_is_in_the_totals(disk: Place) -> None:
    context = multiprocessing.get_context("spawn")
    worker = context.Process(target=_worker, args=(disk,))
    worker.start()
    worker.join(60)
    assert worker.exitcode == 0
    with disk.open() as cache:
        assert cache.fleet().stats.lookups == HITS + 1


@pytest.mark.proves("counting/process-once")
def test_law_11_a_forked_child_reports_its_own_work(place: Place) -> None:
    with place.open() as cache:
        use(cache)
        publisher = cache._source.core()._publisher
        publisher.publish(60.0)

        def child() -> list[int]:
            assert not publisher.running
            for _ in range(3):
                cache.get("key")
            own = cache.fleet()
            cache.get("another")
            started = publisher.running
            publisher.publish(60.0)
            return [own.stats.lookups, len(own.processes), started]

        assert in_forked_child(child) == [HITS + 4, 2, True]
        fleet = cache.fleet()
        assert (fleet.stats.lookups, len(fleet.processes)) == (HITS + 5, 2)
        assert len({each.pid for each in fleet.processes}) == 2


def test_law_11_an_asynchronous_cache_counts_publishes_and_is_in_the_totals(
    disk: Place, reader: TieredCache
) -> None:
    async def work() -> None:
        tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(disk.folder)]
        async with AsyncTieredCache(tiers, namespace=disk.namespace) as cache:

            @cache.cached
            async def analyze(number: int) -> int:
                return number

            for _ in range(HITS + 1):
                await analyze(1)
            names = {each.name for each in threading.enumerate()}
            assert "tiered-cache-publisher" in names

    anyio.run(work)
    fleet = reader.fleet()
    assert (fleet.stats.lookups, fleet.stats.hits, fleet.gone) == (HITS + 1, HITS, 1)
    (function,) = fleet.stats.functions
    assert function.name.endswith("analyze")
    assert (function.lookups, function.hits, function.computes) == (HITS + 1, HITS, 1)


def test_a_running_process_is_seen_by_itself(disk: Place, reader: TieredCache) -> None:
    with disk.open() as other:
        use(other)

        def is_seen() -> bool:
            seen = [(each.pid, each.stats.lookups) for each in reader.fleet().processes]
            return seen == [(os.getpid(), HITS + 1)]

        wait_until(is_seen, "the thread has published", 30.0)


@pytest.mark.proves("counting/publisher")
@pytest.mark.parametrize("awaited", [False, True])
def test_law_12_the_thread_starts_with_the_first_lookup_and_ends_with_the_cache(
    disk: Place, awaited: bool
) -> None:
    before = set(threading.enumerate())  # threads of caches that other tests have just closed

    def publishers() -> list[threading.Thread]:
        started = set(threading.enumerate()) - before
        return [each for each in started if each.name == "tiered-cache-publisher"]

    cache = disk.open()
    assert publishers() == []
    if awaited:
        anyio.run(AsyncTieredCache.of(cache).get, "key")
    else:
        cache.get("key")
    (thread,) = publishers()
    assert thread.daemon
    cache.close()
    thread.join(10)
    assert not thread.is_alive()


def test_law_11_many_threads_and_publications_add_up(disk: Place) -> None:
    threads = 8
    with disk.open() as cache:
        publisher = cache._source.core()._publisher

        def work() -> None:
            for number in range(200):
                cache.get_or_compute(str(number % 20), lambda: 1)
                if number % 50 == 0:
                    publisher.publish(60.0)

        workers = [threading.Thread(target=work) for _ in range(threads)]
        for each in workers:
            each.start()
        for each in workers:
            each.join(60)
    with disk.open() as cache:
        stats = cache.fleet().stats
        assert stats.lookups == threads * 200
        tier = stats.tier("memory")
        assert tier.lookups == threads * 200
