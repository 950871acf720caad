"""The rows of SPEC.md that no other test proves."""

from __future__ import annotations

import logging
import math
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.patience import patient_redis
from tiered_cache import (
    DiskTier,
    InvalidKeyError,
    LookupStatus,
    MemoryTier,
    NullTier,
    TieredCache,
    TierUnavailableError,
)
from tiered_cache._engine.state.outdated_keys import OutdatedKeys
from tiered_cache.codec import RecordCodec
from tiered_cache.contracts import Put, Reach, TierInfo
from tiered_cache.entry import Entry
from tiered_cache.testing import FakeClock, make_context, race

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tiered_cache import Lookup
    from tiered_cache.contracts import Absent, Tier
    from tiered_cache.testing import ChaosProxy


@pytest.fixture
def cache(tmp_path: Path, namespace: str) -> Iterator[TieredCache]:
    with TieredCache([MemoryTier(), DiskTier(tmp_path)], namespace=namespace) as made:
        yield made


@contextmanager
def disk_of(path: Path, namespace: str) -> Iterator[DiskTier]:
    """The disk tier of a cache by itself, to change its store as another process could."""
    tier = DiskTier(path)
    tier.open(make_context(namespace)[0])
    yield tier
    tier.close()


def outcome(found: Lookup) -> tuple[LookupStatus, str | None]:
    return found.status, found.tier


@pytest.mark.proves("law-1/tier-bug", "reading/bug")
def test_law_1_a_bug_in_a_tier_is_a_counted_error() -> None:
    class Buggy(NullTier):
        def get(self, key: str) -> Absent:
            raise ZeroDivisionError

    with TieredCache([MemoryTier(), Buggy()], failures_to_open=1) as cache:
        assert cache.get_or_compute("a", lambda: 1) == 1
        assert cache.lookup("b").status is LookupStatus.ERROR
        tier = cache.stats().tier("null")
        assert (tier.errors, tier.breaker) == (2, "closed")


@pytest.mark.proves("law-1/info-fails")
@pytest.mark.parametrize("strict", [False, True])
def test_law_1_a_tier_without_fill_figures_does_not_block_the_others(
    strict: bool,
) -> None:
    class Mute(NullTier):
        def info(self) -> TierInfo:
            raise TierUnavailableError("no word")

    with TieredCache([MemoryTier(), Mute()], strict=strict, failures_to_open=1) as cache:
        cache.get_or_compute("key", lambda: 1)
        stats = cache.stats()
        assert (stats.misses, stats.tier("memory").entries) == (1, 1)
        assert (stats.tier("null").entries, stats.tier("null").breaker) == (None, "closed")
        cache._source.core()._publisher.publish(60.0)


@pytest.mark.proves("law-1/policy-raises", "promotion/policy-raises")
def test_law_1_a_policy_that_raises_is_logged_and_the_default_is_taken(
    tmp_path: Path, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Undecided:
        def promote(self, found: object, into: object) -> bool:
            raise ZeroDivisionError

        def plan(self, request: object, tiers: object) -> Any:
            raise ZeroDivisionError

    def stack() -> TieredCache:
        policy = Undecided()
        tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path)]
        return TieredCache(tiers, namespace=namespace, writing=policy, promotion=policy)

    with caplog.at_level(logging.WARNING, "tiered_cache"):
        with stack() as cache:
            cache.set("key", 1)
            assert [each.present for each in cache.explain("key")] == [True, True]
        with stack() as cache:
            assert outcome(cache.lookup("key")) == (LookupStatus.HIT, "disk")
            assert outcome(cache.lookup("key")) == (LookupStatus.HIT, "memory")
    assert caplog.text.count("A policy failed") == 2


@pytest.mark.proves("law-2/first-fill-lands", "filling/changed")
def test_of_two_that_compute_at_once_the_first_fill_lands(tmp_path: Path, namespace: str) -> None:
    both = threading.Barrier(2)
    caches = [
        TieredCache([MemoryTier(), DiskTier(tmp_path)], namespace=namespace) for _ in range(2)
    ]

    def ask(number: int) -> int:
        def compute() -> int:
            both.wait(30)
            return number

        return caches[number].get_or_compute("key", compute, scope="thread")

    assert race(2, ask) == [0, 1]
    disks = [cache.stats().tier("disk") for cache in caches]
    assert sorted((disk.writes, disk.write_refusals) for disk in disks) == [(0, 1), (1, 0)]
    assert caches[0].get("key") == caches[1].get("key")
    for cache in caches:
        cache.close()


@pytest.mark.proves("law-8/bad-record")
def test_law_8_bad_records_open_no_breaker(tmp_path: Path, namespace: str) -> None:
    with disk_of(tmp_path, namespace) as disk:
        for number in range(20):
            disk.put(str(number), Put(b"no record", math.inf))
    with TieredCache([DiskTier(tmp_path)], namespace=namespace, failures_to_open=1) as cache:
        for number in range(20):
            assert cache.get(str(number)) is None
        tier = cache.stats().tier("disk")
        assert (tier.corrupt, tier.misses, tier.errors, tier.breaker) == (20, 20, 0, "closed")


@pytest.mark.proves("law-9/unusable-bytes", "reading/unusable", "counting/corrupt")
@pytest.mark.parametrize("kind", ["foreign", "truncated", "another key", "newer", "unsigned"])
def test_law_9_bytes_that_can_not_be_used_are_a_counted_miss_and_removed(
    kind: str, tmp_path: Path, namespace: str
) -> None:
    entry = Entry(1, created_s=time.time())
    record = RecordCodec(namespace).encode("key", entry, Reach.HOST)
    other = RecordCodec(namespace).encode("other", entry, Reach.HOST)
    bad = {
        "foreign": b"\x80\x04K\x01.",
        "truncated": record[:-1],
        "another key": other,
        "newer": record[:4] + b"\x02" + record[5:],
        "unsigned": record,
    }[kind]
    codec = RecordCodec(namespace, shared_key=bytes(32)) if kind == "unsigned" else None
    with disk_of(tmp_path, namespace) as disk:
        disk.put("key", Put(bad, math.inf))
    with TieredCache([DiskTier(tmp_path)], namespace=namespace, codec=codec) as cache:
        assert cache.get_or_compute("key", lambda: 2) == 2
        tier = cache.stats().tier("disk")
        assert (tier.misses, tier.corrupt) == (1, 1)
        assert cache.lookup("key").value == 2


@pytest.mark.proves("law-10/missed-changes")
def test_law_10_past_their_bound_outdated_keys_become_one_instant() -> None:
    outdated = OutdatedKeys()
    for number in range(100_000):
        outdated.add(str(number), now_s=5.0)
    assert "0" in outdated.keys
    assert outdated.not_before_s == -math.inf
    outdated.add("one more", now_s=7.0)
    assert "0" not in outdated.keys
    assert outdated.not_before_s == 7.0


@pytest.mark.proves("reading/stale", "reading/stale-hit-below")
def test_a_stale_record_is_handed_out_by_lookup_only(tmp_path: Path, namespace: str) -> None:
    clock = FakeClock(start_wall=time.time())
    now_s = clock.wall()
    entry = Entry("old", created_s=now_s, fresh_until_s=now_s + 60, stale_until_s=now_s + 600)
    with disk_of(tmp_path, namespace) as disk:
        disk.put("key", Put(RecordCodec(namespace).encode("key", entry, Reach.HOST), 600.0))
    clock.advance(100)
    with TieredCache([DiskTier(tmp_path)], namespace=namespace, clock=clock) as cache:
        found = cache.lookup("key")
        assert outcome(found) == (LookupStatus.STALE, "disk")
        assert (found.value, found.remaining_s) == ("old", 0.0)
        assert cache.get("key", "default") == "default"
        assert not cache.exists("key")
        stats = cache.stats()
        assert (stats.stale_hits, stats.tier("disk").stale_hits) == (2, 2)
        assert cache.get_or_compute("key", lambda: "new") == "new"
        assert cache.get("key") == "new"


@pytest.mark.proves("reading/absent")
def test_nothing_and_a_tombstone_are_misses(cache: TieredCache) -> None:
    assert outcome(cache.lookup("key")) == (LookupStatus.MISS, None)
    cache.set("key", 1)
    cache.delete("key")
    assert outcome(cache.lookup("key")) == (LookupStatus.MISS, None)
    assert [tier.misses for tier in cache.stats().tiers] == [2, 2]


@pytest.mark.proves("reading/breaker-open")
def test_an_open_breaker_is_a_skip(
    redis_url: str, chaos_proxy: Callable[[str], ChaosProxy], namespace: str
) -> None:
    proxy = chaos_proxy(redis_url)
    tiers: list[Tier[Any]] = [MemoryTier(), patient_redis(proxy.url)]
    with TieredCache(tiers, namespace=namespace, clock=FakeClock(), failures_to_open=1) as cache:
        proxy.refuse()
        for _ in range(3):
            assert cache.lookup("key").status is LookupStatus.ERROR
        tier = cache.stats().tier("redis")
        assert (tier.errors, tier.skips, tier.breaker) == (1, 2, "open")


@pytest.mark.proves("reading/missed-change", "writing/failed")
def test_a_tier_that_missed_a_change_is_skipped_then_a_miss(
    redis_url: str, chaos_proxy: Callable[[str], ChaosProxy], namespace: str
) -> None:
    proxy = chaos_proxy(redis_url)
    with TieredCache([NullTier(), patient_redis(proxy.url)], namespace=namespace) as cache:
        cache.set("key", "older")
        assert cache.get("key") == "older"
        proxy.refuse()
        written = cache.set("key", "newer")
        assert [each.outcome.value for each in written.tiers] == ["written", "failed"]
        assert cache.lookup("key").status is LookupStatus.ERROR
        assert cache.stats().tier("redis").skips == 1
        proxy.forward()
        assert cache.lookup("key").status is LookupStatus.MISS


@pytest.mark.proves("reading/explain", "counting/uncounted")
def test_explain_promotes_removes_and_counts_nothing(tmp_path: Path, namespace: str) -> None:
    with disk_of(tmp_path, namespace) as disk:
        record = RecordCodec(namespace).encode("good", Entry(1, created_s=time.time()), Reach.HOST)
        disk.put("good", Put(record, 60.0))
        disk.put("bad", Put(b"no record", 60.0))
    with TieredCache([MemoryTier(), DiskTier(tmp_path)], namespace=namespace) as cache:
        for _ in range(2):
            memory, lower = cache.explain("good")
            assert (memory.present, lower.present, lower.bytes) == (False, True, len(record))
            lower = cache.explain("bad")[1]
            assert not lower.present
            assert "ForeignRecordError" in lower.why
        stats = cache.stats()
        assert (stats.lookups, [tier.lookups for tier in stats.tiers]) == (0, [0, 0])
        assert [tier.corrupt for tier in stats.tiers] == [0, 0]


@pytest.mark.proves("promotion/refused")
def test_a_promotion_that_is_refused_is_still_a_hit(tmp_path: Path, namespace: str) -> None:
    tiers: list[Tier[Any]] = [MemoryTier(max_bytes="1KB"), DiskTier(tmp_path)]
    with TieredCache(tiers, namespace=namespace) as cache:
        cache.set("key", "x" * 20_000)
        refused = cache.stats().tier("memory").write_refusals
        assert outcome(cache.lookup("key")) == (LookupStatus.HIT, "disk")
        assert outcome(cache.lookup("key")) == (LookupStatus.HIT, "disk")
        assert cache.stats().tier("memory").write_refusals == refused + 2


@pytest.mark.proves("lifetimes/infinity")
def test_an_infinite_ttl_overrides_the_default(tmp_path: Path, namespace: str) -> None:
    tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path)]
    with TieredCache(tiers, namespace=namespace, default_ttl="1h") as cache:
        cache.set("key", 1, ttl=math.inf)
        assert [each.remaining_s for each in cache.explain("key")] == [math.inf, math.inf]


@pytest.mark.proves("removing/touch-no-limit")
def test_touch_with_none_is_no_limit(tmp_path: Path, namespace: str) -> None:
    tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path)]
    with TieredCache(tiers, namespace=namespace, default_ttl="1h") as cache:
        cache.set("key", 1)
        assert cache.touch("key", None)
        assert not cache.touch("other", None)
        assert [each.remaining_s for each in cache.explain("key")] == [math.inf, math.inf]


@pytest.mark.proves("removing/clear-cache", "removing/clear-view")
def test_clear_removes_only_a_cache_or_a_view(cache: TieredCache, tmp_path: Path) -> None:
    with TieredCache([MemoryTier(), DiskTier(tmp_path)], namespace="neighbour") as neighbour:
        view = cache.namespace("view")
        for each in (neighbour, cache, view, view.namespace("inner")):
            each.set("key", 1)
        assert view.clear() == 2
        assert [each.get("key") for each in (view, view.namespace("inner"))] == [None, None]
        assert cache.get("key") == 1
        view.set("key", 1)
        assert cache.clear() == 2
        assert [each.get("key") for each in (cache, view)] == [None, None]
        assert neighbour.get("key") == 1


@pytest.mark.proves("keys/views-apart")
def test_no_two_views_share_a_key() -> None:
    with TieredCache([MemoryTier()]) as cache:
        views = [cache, cache.namespace("a"), cache.namespace("b"), cache.namespace("a.b")]
        views += [views[1].namespace("b"), views[2].namespace("a")]
        keys = ["k", "a", "b", "a.b", "a:k", "b\x1fk", "a\x1fb\x1fk"]
        for number, view in enumerate(views):
            view.set_many({key: (number, key) for key in keys})
        assert cache.stats().size == len(views) * len(keys)
        for number, view in enumerate(views):
            assert view.get_many(keys) == {key: (number, key) for key in keys}
            assert sorted(view.keys()) == sorted(keys)
        with pytest.raises(InvalidKeyError, match="namespace"):
            cache.lookup("\x1fa\x1fk")


@pytest.mark.proves("counting/cache-level")
def test_a_cache_counts_all_lookups_and_each_tier_its_own(cache: TieredCache) -> None:
    cache.set("key", 1)
    cache.get("key")
    cache.get_many(["key", "other"])
    cache.get_or_compute("third", lambda: 3)
    stats = cache.stats()
    assert (stats.lookups, stats.hits, stats.misses, stats.computes) == (4, 2, 2, 1)
    memory, disk = stats.tiers
    assert (memory.lookups, memory.hits, memory.misses) == (4, 2, 2)
    assert (disk.lookups, disk.hits, disk.misses) == (2, 0, 2)
