"""Snapshots add up, subtract, and turn into plain data."""

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


@given(_counts, _counts, _counts, _counts, _counts)
def test_law_11_lookups_are_the_sum_of_their_outcomes(
    hits: int, stale: int, misses: int, errors: int, skips: int
) -> None:
    tier = TierStats("t", hits, stale, misses, errors, skips)
    assert tier.lookups == hits + stale + misses + errors + skips
    assert 0.0 <= tier.hit_rate <= 1.0
    cache = CacheStats(hits=hits, stale_hits=stale, misses=misses)
    assert cache.lookups == hits + stale + misses


def test_nothing_happened_yet() -> None:
    for stats in (CacheStats(), CacheStats(tiers=(TierStats("t"),))):
        assert (stats.hit_rate, stats.miss_rate, stats.lookups, stats.size) == (0.0, 0.0, 0, 0)
        assert (stats.evictions, stats.seconds_saved) == (0, 0)
    assert (TierStats("t").hit_rate, TierStats("t").mean_read_s) == (0.0, 0.0)


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


@pytest.mark.parametrize("counter", _COUNTERS)
def test_law_11_a_difference_subtracts_every_counter(counter: str) -> None:
    difference = _tier(**{counter: 7}) - _tier(**{counter: 3})
    assert getattr(difference, counter) == 4


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


def test_a_snapshot_never_changes() -> None:
    stats = CacheStats(hits=1)
    assert stats.snapshot() is stats
    with pytest.raises(dataclasses.FrozenInstanceError):
        stats.hits = 2  # type: ignore[misc] # it is what must fail


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
