"""The memory tier beyond the contract: bounds, copies, removal of expired entries, live reads."""

from __future__ import annotations

import logging
import math
import threading

import cachetools
import pytest

from tiered_cache import ConfigurationError, Event, EventKind, MemoryTier, TieredCache
from tiered_cache.contracts import Put
from tiered_cache.entry import Entry
from tiered_cache.policies import LFU, LRU, Sieve
from tiered_cache.testing import FakeClock
from tiered_cache_policies.policy_registry import policy_names


def test_by_default_the_stored_object_itself_is_handed_out() -> None:
    with TieredCache([MemoryTier()]) as cache:
        value = ["a"]
        cache.set("key", value)
        assert cache.get("key") is value


def test_deep_copies_are_independent() -> None:
    with TieredCache([MemoryTier(copy="deep")]) as cache:
        value = {"list": ["a"]}
        cache.set("key", value)
        value["list"].append("by the writer")
        first = cache.get("key")
        first["list"].append("by a reader")
        assert cache.get("key") == {"list": ["a"]}
        made = cache.get_or_compute("other", lambda: value)
        made["list"].clear()
        assert cache.get("other") == {"list": ["a", "by the writer"]}
        assert cache.stats().hits == 3


def test_check_reports_a_caller_that_changed_a_value(caplog: pytest.LogCaptureFixture) -> None:
    with TieredCache([MemoryTier(copy="check")]) as cache:
        events: list[Event] = []
        cache.on_event(events.append)
        cache.set("the key", {"list": ["a"]})
        assert cache.get("the key") == {"list": ["a"]}
        cache.get("the key")["list"].append("changed")
        assert cache.get("the key") is None
        assert [e.key for e in events if e.kind is EventKind.MUTATION] == ["the key"]
        with caplog.at_level(logging.WARNING):
            assert cache.get_or_compute("the key", lambda: {"list": []}) == {"list": []}
    assert "'the key'" in caplog.text
    assert "changed" in caplog.text


def test_a_value_that_cannot_be_copied_is_refused() -> None:
    with TieredCache([MemoryTier(copy="deep")]) as cache:
        result = cache.set("key", threading.Lock())
        assert not result.stored
        assert "can't be copied" in result.tiers[0].reason


@pytest.mark.proves("law-10/max-entries", "eviction/bound")
@pytest.mark.parametrize(
    "eviction",
    [
        *[name for name in policy_names("eviction") if name != "ttl"],
        LRU,
        Sieve,
        cachetools.RRCache,
    ],
)
def test_law_10_entries_are_bounded_under_every_policy(eviction: object) -> None:
    with TieredCache([MemoryTier(10, eviction=eviction)]) as cache:  # type: ignore[arg-type] # any kind
        for number in range(100):
            cache.set(f"key-{number}", number, ttl=10)
        stats = cache.stats().tiers[0]
        assert stats.entries == 10
        assert stats.evictions == 90
        assert len(cache._source.core().stack.levels[0].tier._table.expiries) < 2500  # type: ignore[attr-defined] # of MemoryTier


@pytest.mark.proves("eviction/gdsf")
def test_gdsf_keeps_values_that_were_dear_to_compute() -> None:
    clock = FakeClock()
    with TieredCache([MemoryTier(3, eviction="gdsf")], clock=clock) as cache:
        memory = cache._source.core().stack.levels[0].tier
        for key, cost_s in [("dear", 9.0), ("cheap", 0.01), ("middling", 0.5), ("new", 0.2)]:
            memory.put(key, Put(Entry(key, created_s=clock.wall(), cost_s=cost_s), math.inf))
        assert sorted(cache.keys()) == ["dear", "middling", "new"]
        cache.set("set", "not measured")
        cache.set("again", "not measured")
        assert "dear" in cache


def test_a_policy_of_ones_own_making_keeps_its_bound() -> None:
    policy: LFU[str, object] = LFU(3)
    with TieredCache([MemoryTier(eviction=policy)]) as cache:
        for key in "abcdef":
            cache.set(key, key)
            cache.get("a")
        assert len(policy) == 3
        assert cache.get("a") == "a"
        assert cache.stats().evictions == 3


def test_a_policy_of_ones_own_making_may_hold_more_than_the_default() -> None:
    with TieredCache([MemoryTier(eviction=LFU(10_010))]) as cache:
        cache.set_many({str(number): number for number in range(10_020)})
        assert cache.stats().evictions == 10


@pytest.mark.proves("law-10/max-bytes")
def test_law_10_bytes_are_bounded_by_estimates_without_records() -> None:
    with TieredCache([MemoryTier(max_bytes="100KB")]) as cache:
        for number in range(100):
            cache.set(f"key-{number}", ["x" * 1000, {"y": "z" * 1000}])
        stats = cache.stats().tiers[0]
        assert stats.bytes is not None
        assert 50_000 < stats.bytes <= 100_000
        assert stats.entries is not None
        assert 30 <= stats.entries <= 50


@pytest.mark.proves("law-10/max-bytes")
def test_both_bounds_hold() -> None:
    with TieredCache([MemoryTier(5, max_bytes="1MB")]) as cache:
        for number in range(20):
            cache.set(f"key-{number}", "small")
        assert cache.stats().tiers[0].entries == 5


def test_expired_entries_are_reclaimed_by_later_writes(clock: FakeClock) -> None:
    with TieredCache([MemoryTier()], clock=clock) as cache:
        for number in range(100):
            cache.set(f"short-{number}", number, ttl=10)
        cache.set("long", 1, ttl=1000)
        cache.set("for ever", 1)
        clock.advance(11)
        for number in range(30):
            cache.set(f"new-{number}", number)
        stats = cache.stats().tiers[0]
        assert (stats.entries, stats.expirations, stats.evictions) == (32, 100, 0)


def test_deadlines_of_replaced_entries_are_forgotten(clock: FakeClock) -> None:
    tier = MemoryTier()
    with TieredCache([tier], clock=clock) as cache:
        for number in range(20_000):
            cache.set("key", number, ttl=10 + number % 7)
        assert len(tier._table.expiries) < 2000
        clock.advance(100)
        cache.set("other", 1)
        assert cache.get("key") is None


def test_a_hit_past_its_freshness_is_not_served_from_the_live_nodes(clock: FakeClock) -> None:
    with TieredCache([MemoryTier()], clock=clock) as cache:
        cache.set("key", 1, ttl=10)
        clock.advance(9.999)
        assert cache.get("key") == 1
        clock.advance(0.001)
        assert cache.get("key") is None
        assert cache.get_or_compute("key", lambda: 2) == 2


@pytest.mark.proves("law-3/wall-clock-set")
def test_a_wall_clock_that_is_set_does_not_lengthen_a_lifetime_in_memory(clock: FakeClock) -> None:
    with TieredCache([MemoryTier()], clock=clock) as cache:
        cache.set("key", 1, ttl=10)
        clock.set_wall(clock.wall() - 3)
        clock.advance(9)
        assert cache.get("key") == 1
        clock.advance(1.1)
        assert cache.get("key") is None


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"max_entries": 0}, "max_entries=0"),
        ({"max_bytes": "lots"}, "max_bytes='lots'"),
        ({"eviction": "best"}, "sieve"),
        ({"copy": "shallow"}, "'deep' or 'check'"),
        ({"eviction": "ttl"}, "ttl"),
        ({"eviction": LFU(9), "max_bytes": "1MB"}, "bounds of its own"),
    ],
)
def test_bad_options_name_the_allowed_values(options: dict[str, object], told: str) -> None:
    with pytest.raises((ConfigurationError, ValueError), match=told):
        MemoryTier(**options)  # type: ignore[arg-type] # on purpose
