"""Statistics policies, and the histograms."""

from __future__ import annotations

import json
import random
import statistics
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiered_cache import DiskTier, MemoryTier, TieredCache
from tiered_cache.policies import Counters, Histograms, LatencyHistogram, Off, Sampled
from tiered_cache.testing import race

if TYPE_CHECKING:
    from pathlib import Path

    from tiered_cache.contracts import Tier


def use(cache: TieredCache, times: int = 50) -> None:
    """Misses, hits in memory and hits in the lower tier."""
    for number in range(times):
        cache.get_or_compute(str(number), lambda: 1)
        cache.get(str(number))
    cache._source.core().stack.levels[0].tier.clear()
    for number in range(times):
        cache.get(str(number))


def make(tmp_path: Path, policy: Any) -> TieredCache:
    tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path)]
    return TieredCache(tiers, statistics=policy)


@pytest.mark.proves("counting/histograms")
@given(st.floats(0, 4000))
def test_a_histogram_is_right_to_a_sixty_fourth(seconds: float) -> None:
    histogram = LatencyHistogram()
    histogram.record(seconds)
    found = histogram.quantile(0.5)
    assert found is not None
    assert abs(found - seconds) <= seconds / 64 + 1e-9


def test_quantiles_are_those_of_the_durations() -> None:
    rng = random.Random(3)
    durations = [rng.lognormvariate(-8, 2) for _ in range(20_000)]
    histogram = LatencyHistogram()
    for each in durations:
        histogram.record(each)
    cuts = statistics.quantiles(durations, n=100)
    for percent in (1, 50, 95, 99):
        assert histogram.quantile(percent / 100) == pytest.approx(cuts[percent - 1], rel=0.03)
    assert histogram.count == 20_000
    assert histogram.quantile(1.0) == pytest.approx(max(durations), rel=1 / 64)


def test_law_10_a_histogram_is_bounded() -> None:
    histogram = LatencyHistogram()
    rng = random.Random(4)
    for _ in range(100_000):
        histogram.record(10 ** rng.uniform(-12, 6))
    histogram.record(-1.0)
    histogram.record(float(2**80))
    assert len(histogram) <= 1216


def test_histograms_subtract_and_add_up() -> None:
    first, second = LatencyHistogram(), LatencyHistogram()
    for each in (0.001, 0.002):
        first.record(each)
    second.record(5.0, times=3)
    both = first + second
    assert both.count == 5
    assert both - first == second
    assert (both - both).quantile(0.5) is None
    assert first.count == 2, "a sum is one of its own"
    with pytest.raises(ValueError, match=r"share=1\.5"):
        both.quantile(1.5)


@pytest.mark.proves("counting/histograms")
def test_by_default_calls_are_counted_and_not_timed(tmp_path: Path) -> None:
    with make(tmp_path, None) as cache:
        use(cache)
        stats = cache.stats()
        assert (stats.counted, stats.hits, stats.misses) == (True, 100, 50)
        assert stats.tiers[1].read_latency is None


@pytest.mark.proves("counting/histograms")
def test_histograms_time_the_calls_of_a_tier(tmp_path: Path) -> None:
    with make(tmp_path, Histograms()) as cache:
        use(cache)
        before = cache.stats()
        use(cache)
        stats = cache.stats()
        disk = stats.tiers[1]
        assert disk.read_latency is not None
        assert disk.write_latency is not None
        assert disk.read_latency.count == disk.hits + disk.misses
        assert disk.write_latency.count == disk.writes
        median = disk.read_latency.quantile(0.5)
        assert median is not None
        assert 1e-6 < median < 1
        since = (stats - before).tiers[1].read_latency
        assert since is not None
        assert since.count == disk.read_latency.count - before.tiers[1].lookups
        plain = json.loads(json.dumps(stats.to_dict()))
        assert plain["tiers"][1]["read_latency"]["p99_s"] >= median


@pytest.mark.proves("counting/sampled")
def test_sampled_counts_are_right_on_average_and_add_up(tmp_path: Path) -> None:
    random.seed(5)
    with make(tmp_path, Sampled(0.25)) as cache:
        use(cache, 400)
        stats = cache.stats()
        disk = stats.tiers[1]
        assert (stats.hits, stats.misses) == (800, 400), "the cache's own are exact"
        assert disk.lookups % 4 == 0
        assert 600 < disk.lookups < 1000
        assert disk.lookups == disk.hits + disk.misses


@pytest.mark.proves("counting/off")
def test_off_says_that_nothing_was_counted(tmp_path: Path) -> None:
    with make(tmp_path, Off()) as cache:
        use(cache)
        stats = cache.stats()
        assert not stats.counted
        assert not any(tier.counted for tier in stats.tiers)
        assert (stats.lookups, stats.tiers[1].lookups, stats.tiers[1].writes) == (0, 0, 0)
        assert stats.tiers[1].entries == 50, "how full a tier is, is known all the same"
        assert stats.to_dict()["counted"] is False
        assert not (stats - stats).counted


def test_law_11_histograms_are_exact_under_threads(tmp_path: Path) -> None:
    with make(tmp_path, Histograms()) as cache:
        race(8, lambda number: [cache.set(f"{number}-{each}", each) for each in range(50)])
        disk = cache.stats().tiers[1]
        assert disk.write_latency is not None
        assert disk.writes == disk.write_latency.count == 400


@pytest.mark.proves("counting/views")
def test_each_namespace_view_is_counted_by_itself(tmp_path: Path) -> None:
    with make(tmp_path, None) as cache:
        view = cache.namespace("a")
        nested = view.namespace("b")
        for each in (view, nested):
            each.set("key", 1)
        view.get("key")
        view.get("absent")
        nested.get_many(["key", "absent", "also"])
        cache.get("absent")
        before = cache.stats()
        view.get("key")
        stats = cache.stats()
        assert [each.name for each in stats.namespaces] == ["a", "a/b"]
        a, b = stats.namespaces
        assert (a.hits, a.misses, a.hit_rate) == (2, 1, 2 / 3)
        assert (b.hits, b.misses, b.lookups) == (1, 2, 3)
        assert (stats.hits, stats.misses) == (3, 4), "views count for the cache as well"
        since = stats - before
        assert (since.namespace("a").hits, since.namespace("a/b").lookups) == (1, 0)
        assert stats.namespace("never used").hit_rate == 0.0
        assert json.loads(json.dumps(stats.to_dict()))["namespaces"][0]["hits"] == 2


@pytest.mark.proves("counting/views")
def test_law_10_namespaces_are_counted_up_to_a_thousand() -> None:
    with TieredCache([MemoryTier()]) as cache:
        for number in range(1100):
            cache.namespace(f"n{number}").get("key")
        stats = cache.stats()
        assert len(stats.namespaces) == 1001
        assert stats.namespace("(others)").misses == 100


@pytest.mark.parametrize("rate", [0.0, -1.0, 1.5])
def test_a_bad_rate_names_itself(rate: float) -> None:
    with pytest.raises(ValueError, match=f"rate={rate}"):
        Sampled(rate)


def test_the_sampling_of_statistics_policies() -> None:
    assert (Counters().one_in, Histograms().one_in, Sampled(0.1).one_in, Off().one_in) == (
        1,
        1,
        10,
        0,
    )
