"""From snapshots to the data of the page: exact, bounded, and plain JSON."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.dashboard.snapshots import make_snapshot, make_stats, same_windows, with_open_breaker
from tiered_cache import DiskTier, MemoryTier, TieredCache
from tiered_cache.dashboard.fleet_collector import FleetCollector
from tiered_cache.dashboard.fleet_snapshot import WINDOW_NAMES
from tiered_cache.dashboard.page_data import MAX_PROCESSES, TOP, page_data
from tiered_cache.dashboard.series import MAX_POINTS, Series
from tiered_cache.dashboard.size_estimates import size_estimates
from tiered_cache.stats.snapshot.cache_stats import CacheStats, FunctionStats
from tiered_cache.stats.snapshot.tier_stats import CURVE_SIZES

if TYPE_CHECKING:
    from pathlib import Path

NOW_S = 1_700_000_000.0


@pytest.mark.proves("dashboard/numbers")
@pytest.mark.parametrize("window", WINDOW_NAMES)
def test_the_numbers_are_those_of_the_snapshot(window: str) -> None:
    stats = make_stats(5000)
    said = page_data(make_snapshot(NOW_S, lookups=5000), window, Series())
    for name in ("lookups", "hits", "misses", "computes", "hit_rate", "seconds_saved"):
        assert said["total"][name] == getattr(stats, name), name
    for shown, tier in zip(said["tiers"], stats.tiers, strict=True):
        for name in ("name", "lookups", "hits", "entries", "bytes", "breaker", "seconds_saved"):
            assert shown[name] == getattr(tier, name), name
        assert tier.read_latency is not None
        assert shown["get"]["p95_s"] == tier.read_latency.quantile(0.95)


def test_page_data_is_plain_json_for_all_statistics() -> None:
    endless = replace(with_open_breaker(make_stats(9), "redis", NOW_S), bus_lag_s=None)
    for stats in (CacheStats(), make_stats(), make_stats(1), endless, CacheStats(counted=False)):
        windows = same_windows(stats)
        said = page_data(make_snapshot(NOW_S, windows=windows), "all", Series())
        assert json.loads(json.dumps(said, allow_nan=False)) == said


def test_no_bound_is_null() -> None:
    windows = same_windows(replace(make_stats(), staleness_bound_s=math.inf))
    assert (
        page_data(make_snapshot(NOW_S, windows=windows), "all", Series())["bus"]["bound_s"] is None
    )


def test_without_processes_there_is_no_lag() -> None:
    windows = same_windows(replace(make_stats(), bus_lag_s=3600.0))
    working = make_snapshot(NOW_S, processes=1, windows=windows)
    assert page_data(working, "all", Series())["bus"]["lag_s"] == 3600.0
    idle = make_snapshot(NOW_S, processes=0, windows=windows)
    assert page_data(idle, "all", Series())["bus"]["lag_s"] is None


@pytest.mark.proves("dashboard/bounded")
def test_law_10_page_data_is_bounded() -> None:
    functions = tuple(
        FunctionStats(f"f{number}", seconds_saved=float(number), compute_seconds=1000.0 - number)
        for number in range(1000)
    )
    windows = same_windows(replace(make_stats(9), functions=functions))
    snapshot = make_snapshot(NOW_S, lookups=10_000, processes=1000, windows=windows)
    said = page_data(snapshot, "1m", Series())
    assert [each["name"] for each in said["functions"]["saved"]] == [
        f"f{999 - place}" for place in range(TOP)
    ]
    assert said["functions"]["wasted"][0]["name"] == "f0"
    assert len(said["processes"]) == MAX_PROCESSES


def test_processes_in_trouble_come_first() -> None:
    snapshot = make_snapshot(NOW_S, lookups=300, processes=3)
    rows = [*snapshot.processes]
    rows[2] = rows[2]._replace(stats=with_open_breaker(rows[2].stats, "redis", NOW_S))
    said = page_data(snapshot._replace(processes=rows), "all", Series())
    assert said["processes"][0]["pid"] == rows[2].pid
    assert said["processes"][0]["breakers"] == [{"tier": "redis", "state": "open"}]


@pytest.mark.proves("dashboard/bounded")
def test_law_10_a_day_of_numbers_is_a_bounded_number_of_points() -> None:
    series = Series()
    for second in (*range(0, 85_500, 30), *range(85_500, 86_400)):
        series.add(NOW_S + second, make_stats(2000 * second))
    for window, reach_s in (("1m", 60), ("15m", 900), ("24h", 86_400), ("all", 86_400)):
        said = series.to_dict(window, ["memory", "redis"])
        assert 8 <= len(said["at"]) <= MAX_POINTS + 1
        assert said["at"] == sorted(set(said["at"]))
        assert said["at"][-1] - said["at"][0] <= reach_s
        assert said["at"][-1] == NOW_S + 86_399
        assert all(rate == pytest.approx(0.952, abs=0.01) for rate in said["hit_rate"])
        assert {
            len(column)
            for tier in said["tiers"]
            for column in (tier["hit_rate"], tier["latency_s"])
        } == {len(said["at"])}


def test_points_are_differences_from_the_point_before() -> None:
    series = Series()
    series.add(NOW_S, make_stats(1000))
    assert series.to_dict("1m", ["memory"])["at"] == []
    series.add(NOW_S + 1, replace(make_stats(1000), hits=make_stats(1000).hits + 500))
    assert series.to_dict("1m", ["memory"])["hit_rate"] == [1.0]
    series.add(NOW_S + 2, replace(make_stats(1000), hits=make_stats(1000).hits + 500))
    assert series.to_dict("1m", ["memory"])["hit_rate"] == [1.0, None], "nothing was looked up"


def test_counters_that_go_back_restart_the_series() -> None:
    series = Series()
    for at_s, lookups in ((0, 100), (1, 200), (2, 50), (3, 150), (1.5, 160)):
        series.add(NOW_S + at_s, make_stats(lookups))
    assert series.to_dict("1m", ["memory"])["at"] == [NOW_S + 1, NOW_S + 3]


def test_while_points_are_few_finer_ones_are_shown() -> None:
    series = Series()
    for second in range(30):
        series.add(NOW_S + second, make_stats(10 * second))
    assert len(series.to_dict("all", ["memory"])["at"]) == 29


def test_savings_of_another_size_follow_from_the_cost_of_misses() -> None:
    stats = make_stats(1000)
    memory = stats.tiers[0]
    assert size_estimates(stats, 0, 3600.0) is None
    curve = tuple(memory.hits + size * 10 - 10 for size in CURVE_SIZES)
    stats = replace(
        stats, tiers=(replace(memory, curve=curve, curve_lookups=1000), *stats.tiers[1:])
    )
    points = {each["times"]: each for each in size_estimates(stats, 0, 1800.0) or []}
    assert points[1.0]["hit_rate"] == memory.hit_rate
    assert points[1.0]["saved_per_hour_s"] == 0.0
    miss_s = stats.compute_seconds / memory.misses
    assert points[2.0]["hit_rate"] == pytest.approx(memory.hit_rate + 0.01)
    assert points[2.0]["saved_per_hour_s"] == pytest.approx(10 * miss_s * 2)
    assert {each["saved_per_hour_s"] for each in size_estimates(stats, 0, None) or []} == {None}


@pytest.mark.proves("dashboard/numbers")
def test_all_processes_on_the_disk_are_collected_except_the_onlooker(
    tmp_path: Path, namespace: str
) -> None:
    def open_one() -> TieredCache:
        return TieredCache([MemoryTier(), DiskTier(tmp_path)], namespace=namespace)

    with open_one() as worker, open_one() as onlooker:
        worker.get_or_compute("a", lambda: 1)
        worker.get("a")
        worker.close()  # its final report is on the board now
        collector = FleetCollector(onlooker)
        snapshot = collector.collect()
        assert (snapshot.reach, snapshot.processes, snapshot.gone) == ("host", [], 1)
        assert {window.stats.lookups for window in snapshot.windows.values()} == {2}
        assert collector.collect().past == [], "the past is told once"


def test_a_cache_that_shares_nothing_shows_itself() -> None:
    with TieredCache([MemoryTier()]) as cache:
        collector = FleetCollector(cache)
        assert collector.collect().processes == []
        cache.get("a")
        (row,) = collector.collect().processes
        assert (row.stats.lookups, collector.collect().reach) == (1, "process")


def test_of_two_readings_at_once_one_is_refused() -> None:
    with TieredCache([MemoryTier()]) as cache:
        collector = FleetCollector(cache)
        collector._lock.acquire()
        with pytest.raises(TimeoutError, match="has not ended"):
            collector.collect()
        collector._lock.release()
        collector.collect()
