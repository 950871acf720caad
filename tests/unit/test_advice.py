"""Advice: each rule with statistics that trigger it and statistics that do not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tiered_cache.stats.output.advice import RULES, advise, miss_seconds
from tiered_cache.stats.snapshot.cache_stats import CacheStats, FunctionStats, TierStats

CURVE = tuple(min(950.0, 600.0 + 25 * place) for place in range(17))


def memory(**given: Any) -> TierStats:
    return replace(TierStats("memory", hits=800, misses=200, evictions=100, writes=200), **given)


def stack(first: TierStats, **given: Any) -> CacheStats:
    disk = TierStats("disk", hits=100, misses=100, read_seconds=1.0)
    return replace(
        CacheStats(hits=900, misses=100, computes=100, compute_seconds=19.0, tiers=(first, disk)),
        **given,
    )


def rules(stats: CacheStats) -> list[tuple[str, str]]:
    return [(each.rule, each.subject) for each in advise(stats)]


def test_all_is_well() -> None:
    assert advise(stack(memory())) == ()
    assert advise(CacheStats()) == ()


def test_every_rule_has_a_docstring() -> None:
    for rule in RULES.values():
        assert rule.__doc__


def test_a_miss_costs_the_time_of_the_levels_below() -> None:
    stats = stack(memory())
    assert miss_seconds(stats, stats.tiers[0]) == pytest.approx(20.0 / 200)
    assert miss_seconds(stats, stats.tiers[1]) == pytest.approx(19.0 / 100)
    assert miss_seconds(stats, TierStats("disk")) == 0.0


def test_advice_on_a_small_tier_gives_the_saving_of_twice_the_size() -> None:
    stats = stack(memory(curve=CURVE, curve_lookups=1000))
    (advice,) = advise(stats, span_s=1800.0)
    assert (advice.rule, advice.subject) == ("too-small", "memory")
    assert advice.text == "memory twice as large: hit rate 80% -> 85%, 10 s an hour saved."
    (so_far,) = advise(stats)
    assert so_far.text.endswith("5 s saved so far.")


def test_a_tier_that_is_large_enough_is_not_too_small() -> None:
    flat = tuple([800.0] * 17)
    assert rules(stack(memory(curve=flat, curve_lookups=1000))) == []
    few = memory(hits=8, misses=2, curve=CURVE, curve_lookups=10)
    assert rules(stack(few)) == []


def test_a_tier_that_is_never_hit() -> None:
    never = TierStats("disk", hits=1, misses=2000, read_seconds=3.0)
    assert rules(CacheStats(tiers=(never,))) == [("never-hit", "disk")]
    assert rules(CacheStats(tiers=(replace(never, hits=3),))) == []
    assert rules(CacheStats(tiers=(replace(never, misses=900),))) == []


def test_values_that_take_longer_to_read_than_to_compute() -> None:
    slow = TierStats("redis", hits=1000, seconds_saved=-2.0, read_bytes=5_000_000)
    (advice,) = advise(CacheStats(tiers=(slow,)))
    assert (advice.rule, advice.subject) == ("does-not-pay", "redis")
    assert "of 5,000 bytes" in advice.text
    assert rules(CacheStats(tiers=(replace(slow, seconds_saved=1.0),))) == []
    assert rules(CacheStats(tiers=(replace(slow, hits=10),))) == []
    cheap = FunctionStats("module.cheap", hits=1000, seconds_saved=-0.1)
    assert rules(CacheStats(functions=(cheap,))) == [("does-not-pay", "module.cheap")]


def test_a_lifetime_that_is_too_short() -> None:
    ended = memory(evictions=0, expirations=150)
    again = stack(ended, computes=300, recomputes=200.0)
    assert rules(again) == [("ttl-too-short", "memory"), ("computed-again", "")]
    assert rules(stack(ended, computes=300, recomputes=10.0)) == []
    evicted = memory(evictions=200, expirations=150)
    assert rules(stack(evicted, computes=300, recomputes=200.0)) == [("computed-again", "")]


def test_keys_that_are_computed_again_and_again() -> None:
    stats = stack(memory(), computes=200, recomputes=150.0)
    (advice,) = advise(stats)
    assert advice.rule == "computed-again"
    assert "150 of 200" in advice.text
    assert "14 s" in advice.text
    assert rules(stack(memory(), computes=50, recomputes=50.0)) == []


def test_uncounted_statistics_give_no_advice() -> None:
    never = TierStats("disk", misses=5000)
    assert advise(CacheStats(tiers=(never,), counted=False)) == ()
