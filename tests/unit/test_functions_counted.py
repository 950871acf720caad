"""The numbers of each cached function, inlined hits included."""

from __future__ import annotations

import math
import time
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest

from tiered_cache import DiskTier, MemoryTier, TieredCache
from tiered_cache.contracts import Put, Reach
from tiered_cache.entry import Entry
from tiered_cache.policies import Histograms
from tiered_cache.stats.snapshot.cache_stats import CacheStats, FunctionStats, TierStats
from tiered_cache.stats.snapshot.fields import counters
from tiered_cache.stats.snapshot.group_stats import OTHERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tiered_cache.contracts import Tier


def square(number: int) -> int:
    return number * number


def shout(text: str) -> str:
    if not text:
        raise ValueError
    return text.upper()


def join(first: str, *, last: str) -> str:
    return first + last


def name_of(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def only(cache: TieredCache) -> FunctionStats:
    (found,) = cache.stats().functions
    return found


@pytest.mark.proves("counting/functions")
@pytest.mark.parametrize(
    ("function", "arguments", "named"),
    [(square, (3,), {}), (shout, ("a",), {}), (join, ("a",), {"last": "b"})],
)
@pytest.mark.parametrize("view", [False, True])
def test_a_function_is_counted_by_its_name(
    function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any], view: bool
) -> None:
    with TieredCache([MemoryTier()]) as cache:
        cached = (cache.namespace("view") if view else cache).cached(function)
        for _ in range(10):
            cached(*arguments, **named)
        found = only(cache)
        assert found.name.endswith(function.__qualname__)
        assert (found.hits, found.misses, found.computes) == (9, 1, 1)
        assert found.compute_latency is not None
        assert found.compute_latency.count == 1
        stats = cache.stats()
        assert (stats.hits, stats.misses, stats.tier("memory").hits) == (9, 1, 9)
        if view:
            assert stats.namespace("view").lookups == 10


def test_exceptions_of_a_function_are_counted() -> None:
    with TieredCache([MemoryTier()]) as cache:
        cached = cache.cached(shout)
        with pytest.raises(ValueError):  # noqa: PT011 - raised without a message
            cached("")
        found = only(cache)
        assert (found.computes, found.compute_errors, found.misses) == (0, 1, 1)


def test_hits_in_any_tier_save_the_time_of_computing(tmp_path: Path) -> None:
    with TieredCache([DiskTier(tmp_path)]) as cache:
        key = cache.cached(square).key_for(3)
        core = cache._source.core()
        entry = Entry(9, created_s=time.time(), cost_s=1000.0)
        core.stack.levels[0].tier.put(
            key, Put(core.stack.encoder.encode(key, entry, Reach.HOST), math.inf)
        )
    with TieredCache([MemoryTier(), DiskTier(tmp_path)]) as cache:
        cached = cache.cached(square)
        assert [cached(3) for _ in range(10)] == [9] * 10
        stats = cache.stats()
    (found,) = stats.functions
    assert (found.hits, found.misses, found.computes) == (10, 0, 0)
    # Ten times the cost, less the time of the disk read.
    assert found.seconds_saved == pytest.approx(10_000, abs=60)
    assert stats.seconds_saved == pytest.approx(10_000, abs=60)


def test_other_lookups_are_nobodys() -> None:
    with TieredCache([MemoryTier()]) as cache:
        cache.cached(square)(3)
        cache.get_or_compute("key", lambda: 1)
        cache.get("key")
        assert (only(cache).lookups, cache.stats().lookups) == (1, 3)


def test_a_function_counts_in_the_cache_that_it_uses_now() -> None:
    cache = TieredCache.deferred(lambda: TieredCache([MemoryTier()]))
    cached = cache.cached(square)
    for _ in range(5):
        cached(3)
    assert (only(cache).hits, cache.stats().hits) == (4, 4)
    cache.rebuild(lambda: TieredCache([MemoryTier()]))
    for _ in range(3):
        cached(3)
    assert (only(cache).hits, cache.stats().hits, cache.stats().misses) == (2, 2, 1)
    cache.close()


@pytest.mark.proves("counting/functions")
def test_law_10_functions_are_counted_up_to_two_hundred() -> None:
    with TieredCache([MemoryTier()]) as cache:
        for number in range(250):

            def function(argument: int) -> int:
                return argument

            function.__qualname__ = f"function_{number}"
            cached = cache.cached(function)
            cached(1)
            cached(1)
        functions = cache.stats().functions
        assert len(functions) == 201
        assert cache.stats().function(OTHERS).lookups == 100
        assert sum(each.lookups for each in functions) == cache.stats().lookups == 500


@pytest.mark.proves("counting/monotonic")
def test_counters_only_grow(tmp_path: Path) -> None:
    tiers: list[Tier[Any]] = [MemoryTier(5), DiskTier(tmp_path)]
    with TieredCache(tiers, statistics=Histograms()) as cache:
        cached = cache.cached(square)
        before = cache.stats()
        for number in range(60):
            cached(number % 7)
            cached(number % 3)
            after = cache.stats()
            change = after - before
            for part in (change, *change.tiers, *change.functions):
                for name in counters(type(part)):
                    if "latency" not in name and name != "seconds_saved":
                        assert getattr(part, name) >= 0, name
            before = after
        times = before.serialize_latency
        assert times is not None
        assert times.count == 7


def test_gauges_of_the_queue_the_bus_and_the_bound_are_there(tmp_path: Path) -> None:
    with TieredCache([MemoryTier(), DiskTier(tmp_path)]) as cache:
        stats = cache.stats()
        assert (stats.queue_depth, stats.queue_parked, stats.journal_bytes) == (0, 0, 0)
        assert stats.staleness_bound_s == cache.staleness_bound
        assert stats.bus_lag_s is not None
        assert 0 <= stats.bus_lag_s < 60
        assert [tier.reach for tier in stats.tiers] == ["process", "host"]
    assert {each.name for each in fields(CacheStats)} >= {"queue_age_s", "processes"}
    assert TierStats("t", evictions=3, expirations=4).evictions_by_reason == {
        "size": 3,
        "expired": 4,
    }
