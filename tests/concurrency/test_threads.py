"""Threads and forks on one cache."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Literal

import pytest

from tiered_cache import DiskTier, MemoryTier, RedisTier, TieredCache
from tiered_cache.contracts import Put
from tiered_cache.entry import Entry
from tiered_cache.testing import in_forked_child, race

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

THREADS = 32
SECONDS = 10.0


@pytest.fixture
def cache(tmp_path: Path, redis_url: str, namespace: str) -> Iterator[TieredCache]:
    with TieredCache(
        [
            MemoryTier(max_entries=50),
            DiskTier(tmp_path, timeout="30s"),
            RedisTier(redis_url, timeout="30s"),
        ],
        namespace=namespace,
    ) as made:
        yield made


@pytest.mark.proves("law-11/threads", "counting/one-outcome")
@pytest.mark.slow
@pytest.mark.timeout(180)
def test_law_11_the_numbers_add_up_under_32_threads_with_mixed_calls(  # noqa: C901 - ditto
    cache: TieredCache,
) -> None:
    """Each thread writes only its own keys, and reads the keys of all threads."""
    end = time.monotonic() + SECONDS
    done: list[Counter[str]] = [Counter() for _ in range(THREADS)]

    def work(number: int) -> None:
        dice = random.Random(number)
        mine: dict[str, int] = {}
        counts = done[number]
        for turn in itertools.count():
            if time.monotonic() > end:
                break
            own = f"own-{number}-{dice.randrange(8)}"
            other = f"own-{dice.randrange(THREADS)}-{dice.randrange(8)}"
            match dice.randrange(12):
                case 0:
                    assert cache.set(own, turn)
                    mine[own] = turn
                case 1:
                    assert cache.delete(own) == (own in mine)
                    mine.pop(own, None)
                case 2:
                    counts["lookups"] += 1
                    expected = mine.get(own)
                    made = cache.get_or_compute(own, lambda: -1)
                    assert made == (expected if expected is not None else -1)
                    mine.setdefault(own, -1)
                case 3:
                    assert cache.set_many({own: turn, own + "+": turn})
                    mine[own] = mine[own + "+"] = turn
                case 4:
                    keys = {own, other, own + "+"}
                    counts["lookups"] += len(keys)
                    found = cache.get_many(keys)
                    assert found.get(own) == mine.get(own)
                case 5:
                    assert (own in cache) == (own in mine)
                case 6:
                    assert cache.touch(own, "1h") == (own in mine)
                case 7:
                    cache.explain(other)
                case _:
                    counts["lookups"] += 2
                    cache.get(other)
                    assert cache.get(own) == mine.get(own)
            counts["turns"] += 1
        for key, value in mine.items():
            counts["lookups"] += 1
            assert cache.get(key) == value

    race(THREADS, work, timeout_s=150)
    total = sum(done, Counter[str]())
    stats = cache.stats()
    assert total["turns"] > THREADS
    assert stats.lookups == total["lookups"]
    assert sum(tier.hits for tier in stats.tiers) == stats.hits
    assert stats.tiers[0].lookups == total["lookups"]
    for upper, lower in itertools.pairwise(stats.tiers):
        assert lower.lookups == upper.lookups - upper.hits
    assert stats.tiers[-1].lookups - stats.tiers[-1].hits == stats.misses
    assert all(tier.errors == tier.skips == tier.write_errors == 0 for tier in stats.tiers)
    assert stats.tiers[0].entries is not None
    assert stats.tiers[0].entries <= 50


@pytest.mark.proves("law-11/inlined-hits")
def test_law_11_inlined_hits_are_counted_exactly() -> None:
    with TieredCache([MemoryTier()]) as cache:
        cache.set_many({f"key-{n}": n for n in range(10)})
        view = cache.namespace("view")
        view.set("key", 1)

        @cache.cached
        def double(text: str) -> str:
            return text * 2

        double("a")
        before = cache.stats()

        def hit(number: int) -> None:
            for _ in range(1000):
                cache.get(f"key-{number % 10}")
                cache.get_or_compute("key-1", lambda: None)
                double("a")
                view.get("key")

        race(16, hit)
        spent = cache.stats() - before
        assert spent.hits == spent.tiers[0].hits == spent.lookups == 16 * 4 * 1000
        assert spent.misses == 0


@pytest.mark.proves("counting/seconds-saved")
@pytest.mark.parametrize("copy", [None, "deep"])
def test_seconds_saved_are_the_costs_of_the_hits(copy: Literal["deep"] | None) -> None:
    with TieredCache([MemoryTier(max_entries=2, copy=copy)]) as cache:
        core = cache._source.core()
        for key in "abc":
            entry = Entry(key, created_s=time.time(), cost_s=10.0)
            core.stack.levels[0].tier.put(key, Put(entry, 1000))
            for _ in range(5):
                assert cache.get(key) == key
        saved = cache.stats().seconds_saved
        assert saved == pytest.approx(150, abs=0.1), "also of the entry that was evicted"
        cache.clear()
        assert cache.stats().seconds_saved == pytest.approx(150, abs=0.1)


@pytest.mark.proves("counting/seconds-saved")
def test_only_hits_save_seconds() -> None:
    with TieredCache([MemoryTier()]) as cache:
        entry = Entry("old", created_s=time.time(), cost_s=10.0)
        cache._source.core().stack.levels[0].tier.put("key", Put(entry, 1000))
        assert cache.exists("key")
        assert cache.explain("key")[0].present
        assert cache.touch("key", ttl=100)
        assert cache.refresh("key", lambda: "new") == "new"
        assert cache.stats().seconds_saved == 0.0
        cache._source.core().stack.levels[0].tier.put("key", Put(entry, 1000))
        heard: list[object] = []
        cache.on_event(heard.append)
        assert cache.get("key") == "old", "a hit by a call, since a listener wants it"
        assert cache.stats().hits == len(heard) == 1
        assert cache.stats().seconds_saved == pytest.approx(10, abs=0.1)


def busy(cache: TieredCache, done: threading.Event) -> Callable[[int], None]:
    def work(number: int) -> None:
        for turn in itertools.count():
            if done.is_set():
                return
            key = f"busy-{number}-{turn % 5}"
            cache.set(key, "x" * 40_000)
            cache.get(key)
            cache.get_or_compute(f"computed-{turn}", lambda: "value")
            cache.delete(key)

    return work


@pytest.mark.proves("law-12/fork")
def test_law_12_a_child_forked_from_a_busy_parent_uses_the_cache(cache: TieredCache) -> None:
    cache.set("parents", [1, 2])
    done = threading.Event()
    threads = [threading.Thread(target=busy(cache, done), args=(n,), daemon=True) for n in range(4)]
    for thread in threads:
        thread.start()

    def in_child() -> list[object]:
        return [
            cache.get("parents"),
            bool(cache.set("childs", "value")),
            cache.get_or_compute("computed in the child", lambda: 5),
            cache.get_many(["childs", "parents"]) == {"childs": "value", "parents": [1, 2]},
            cache.stats().lookups > 0,
        ]

    try:
        for _ in range(10):
            assert in_forked_child(in_child) == [[1, 2], True, 5, True, True]
    finally:
        done.set()
        for thread in threads:
            thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert cache.get("childs") == "value"
    assert cache.set("after", 1)
