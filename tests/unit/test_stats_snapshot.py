"""Snapshots: sums, differences, plain data and the printed table."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiered_cache.stats.snapshot.cache_stats import CacheStats, TierStats

_COUNTERS = [
    field.name
    for field in dataclasses.fields(TierStats)
    if field.type in ("int", "float") and field.name != "name"
]
_counts = st.integers(0, 10**9)


def _tier(**counted: float) -> TierStats:
    return TierStats("memory", **counted)  # type: ignore[arg-type] # names of counters only


@pytest.mark.proves("law-11/sum-of-five")
@given(_counts, _counts, _counts, _counts, _counts)
def test_law_11_lookups_are_the_sum_of_their_outcomes(
    hits: int, stale: int, misses: int, errors: int, skips: int
) -> None:
    tier = TierStats("t", hits, stale, misses, errors, skips)
    assert tier.lookups == hits + stale + misses + errors + skips
    assert 0.0 <= tier.hit_rate <= 1.0
    cache = CacheStats(hits=hits, stale_hits=stale, misses=misses)
    assert cache.lookups == hits + stale + misses


@pytest.mark.proves("counting/rates")
def test_nothing_happened_yet() -> None:
    for stats in (CacheStats(), CacheStats(tiers=(TierStats("t"),))):
        assert (stats.hit_rate, stats.miss_rate, stats.lookups, stats.size) == (0.0, 0.0, 0, 0)
        assert (stats.evictions, stats.seconds_saved) == (0, 0)
    assert (TierStats("t").hit_rate, TierStats("t").mean_read_s) == (0.0, 0.0)


@pytest.mark.proves("counting/rates")
def test_rates_are_shares_of_the_lookups() -> None:
    cache = CacheStats(hits=6, stale_hits=1, misses=3)
    assert (cache.hit_rate, cache.miss_rate) == (0.6, 0.3)
    tier = _tier(hits=1, misses=1, errors=1, skips=1, timed_reads=2, read_seconds=3.0)
    assert (tier.hit_rate, tier.mean_read_s) == (0.25, 1.5)


def test_sums_over_tiers() -> None:
    cache = CacheStats(
        tiers=(
            TierStats("memory", evictions=2, seconds_saved=1.5, entries=10),
            TierStats("disk", evictions=3, seconds_saved=-0.5, entries=25),
            TierStats("redis", entries=None),
        )
    )
    assert (cache.evictions, cache.seconds_saved, cache.size) == (5, 1.0, 25)
    assert cache.tier("disk").entries == 25
    with pytest.raises(KeyError, match="null"):
        cache.tier("null")


@pytest.mark.proves("law-11/difference")
@pytest.mark.parametrize("counter", _COUNTERS)
def test_law_11_a_difference_subtracts_every_counter(counter: str) -> None:
    difference = _tier(**{counter: 7}) - _tier(**{counter: 3})
    assert getattr(difference, counter) == 4


@pytest.mark.proves("counting/snapshots")
def test_a_difference_keeps_how_things_stand() -> None:
    before = TierStats("memory", entries=5, bytes=100, max_entries=10, breaker="open", detail="x")
    after = TierStats("memory", entries=7, bytes=None, max_entries=20, breaker="closed")
    difference = after - before
    assert (difference.name, difference.entries, difference.bytes) == ("memory", 7, None)
    assert (difference.max_entries, difference.breaker, difference.detail) == (20, "closed", "")


def test_a_difference_of_caches_goes_tier_by_tier() -> None:
    before = CacheStats(
        hits=1, misses=2, computes=2, compute_seconds=1.0, tiers=(_tier(hits=1), TierStats("old"))
    )
    after = CacheStats(
        hits=5,
        stale_hits=1,
        misses=3,
        computes=3,
        compute_errors=1,
        compute_seconds=2.5,
        tiers=(_tier(hits=4), TierStats("new", hits=9)),
    )
    difference = after - before
    assert (difference.hits, difference.stale_hits, difference.misses) == (4, 1, 1)
    assert (difference.computes, difference.compute_errors) == (1, 1)
    assert difference.compute_seconds == 1.5
    assert [(tier.name, tier.hits) for tier in difference.tiers] == [("memory", 3), ("new", 9)]


def test_a_snapshot_less_itself_is_nothing() -> None:
    stats = CacheStats(hits=3, misses=1, compute_seconds=0.1, tiers=(_tier(hits=3, read_bytes=9),))
    difference = stats - stats
    assert (difference.lookups, difference.compute_seconds) == (0, 0.0)
    assert (difference.tiers[0].lookups, difference.tiers[0].read_bytes) == (0, 0)


@pytest.mark.proves("counting/snapshots")
def test_a_snapshot_never_changes() -> None:
    stats = CacheStats(hits=1)
    assert stats.snapshot() is stats
    with pytest.raises(dataclasses.FrozenInstanceError):
        stats.hits = 2  # type: ignore[misc] # must fail


def test_plain_data_has_the_derived_figures_and_is_json() -> None:
    stats = CacheStats(hits=3, misses=1, tiers=(_tier(hits=3, misses=1, entries=2),))
    plain = json.loads(json.dumps(stats.to_dict(), allow_nan=False))
    assert (plain["lookups"], plain["hit_rate"], plain["miss_rate"]) == (4, 0.75, 0.25)
    (tier,) = plain["tiers"]
    assert (tier["name"], tier["lookups"], tier["hit_rate"], tier["entries"]) == (
        "memory",
        4,
        0.75,
        2,
    )
    assert set(tier) >= {field.name for field in dataclasses.fields(TierStats)}
    assert set(plain) >= {field.name for field in dataclasses.fields(CacheStats)}


def _used() -> CacheStats:
    memory = TierStats(
        "memory", hits=900, misses=100, timed_reads=10, read_seconds=2e-6, entries=1500
    )
    disk = TierStats(
        "disk",
        hits=50,
        misses=50,
        timed_reads=100,
        read_seconds=0.01,
        bytes=3 * 2**20,
        seconds_saved=90.0,
        breaker="open",
    )
    return CacheStats(hits=950, misses=50, computes=50, compute_seconds=5.0, tiers=(memory, disk))


def test_statistics_print_as_a_table_of_tiers_with_a_line_of_totals() -> None:
    assert str(_used()).splitlines() == [
        "tier                 lookups  hits  hit rate  mean read  entries  bytes    saved",
        "memory                 1,000   900     90.0%     200 ns    1,500      ?      0 s",
        "disk (breaker open)      100    50     50.0%     100 µs        ?  3 MiB  1.5 min",
        "all                    1,000   950     95.0%                             1.5 min",
        "50 computations; 1.5 min saved, 5.01 s spent",
    ]


def test_statistics_without_lookups_print_as_a_table() -> None:
    header, memory, totals, computations = str(CacheStats(tiers=(_tier(),))).splitlines()
    assert header.split()[0] == "tier"
    assert memory.split() == ["memory", "0", "0", "?", "?", "?", "?", "0", "s"]
    assert totals.split() == ["all", "0", "0", "0.0%", "0", "s"]
    assert computations == "0 computations; 0 s saved, 0 s spent"
    assert str(CacheStats(counted=False)) == "Nothing is counted: the statistics policy is Off."


def test_law_9_a_hostile_name_neither_controls_the_terminal_nor_breaks_the_table() -> None:
    names = ("a\x1b[2J\n", "x" * 4096)
    lines = str(CacheStats(tiers=tuple(TierStats(name) for name in names))).splitlines()
    assert len(lines) == 3 + len(names)
    assert all(line.isprintable() and len(line) < 120 for line in lines)
    assert lines[1].startswith(r"'a\x1b[2J\n'")
