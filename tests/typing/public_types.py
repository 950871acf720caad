"""Types of the stacks, the simple face and their results; type checkers check this file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_type

from tiered_cache import (
    Cache,
    CacheManager,
    CacheStats,
    Computation,
    DiskTier,
    Event,
    Explanation,
    FleetStats,
    JournalEntry,
    Lookup,
    LookupStatus,
    MemoryTier,
    NullTier,
    RedisTier,
    Settings,
    TieredCache,
    TierStats,
    WriteOutcome,
    WriteResult,
    configure,
    current,
    record_trace,
    tiered,
)
from tiered_cache.config import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Report:
    pass


def analyze(path: str, depth: int = 1) -> Report:
    raise NotImplementedError


def makes_stacks() -> None:
    assert_type(tiered, TieredCache)
    assert_type(TieredCache([MemoryTier(), DiskTier(), RedisTier(), NullTier()]), TieredCache)
    assert_type(TieredCache([MemoryTier()], default_ttl="1d"), TieredCache)
    assert_type(TieredCache.from_settings(), TieredCache)
    assert_type(configure(redis_url="redis://localhost"), TieredCache)
    assert_type(load_settings(), Settings)
    with TieredCache([MemoryTier()]) as cache:
        assert_type(cache, TieredCache)
        assert_type(cache.namespace("view"), TieredCache)
        assert_type(cache.staleness_bound, float)
        with record_trace("lookups.trace", cache) as recorder:
            assert_type(recorder.requests, int)
    TieredCache(MemoryTier())  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] # must be refused
    TieredCache(["memory"])  # type: ignore[list-item] # pyright: ignore[reportArgumentType] # must be refused
    TieredCache([MemoryTier()], defaultttl="1d")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue] # must be refused


def computes(cache: TieredCache) -> None:
    assert_type(cache.get_or_compute("key", lambda: 5), int)
    assert_type(cache.get_or_compute("key", Report), Report)
    assert_type(cache.get_or_compute("key", Report, force=True), Report)
    assert_type(cache.get_or_compute("key", lambda: analyze("a"), ttl="1h", tags={"a"}), Report)
    assert_type(cache.refresh("key", lambda: 5), int)
    assert_type(cache.refresh("key", Report, ttl="1h", tags={"a"}, scope="host"), Report)
    assert_type(
        cache.get_or_compute_many(["a"], lambda keys: {key: len(key) for key in keys}),
        dict[str, int],
    )
    assert_type(current(), Computation)
    assert_type(current().tags, frozenset[str])
    cache.get_or_compute("key", 5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] # must be refused
    cache.get_or_compute("key", len)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] # must be refused
    cache.refresh("key", 5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] # must be refused
    cache.refresh("key", Report, force=True)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue] # must be refused
    cache.get_or_compute("key", Report, ttl=["1h"])  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] # must be refused


def reads(cache: TieredCache) -> None:
    assert_type(cache.get("key"), Any)
    assert_type(cache.get_many(["key"]), dict[str, Any])
    assert_type(cache.exists("key"), bool)
    assert_type("key" in cache, bool)
    assert_type(cache.peek("key"), Lookup)
    assert_type(cache.explain("key"), list[Explanation])
    keys: Iterator[str] = cache.keys("prefix")
    assert_type(next(keys), str)
    found = cache.lookup("key")
    assert_type(found, Lookup)
    assert_type(found.status, LookupStatus)
    assert_type(found.found, bool)
    assert_type(found.value, Any)
    assert_type(found.tier, str | None)
    assert_type(found.age_s, float)
    assert_type(found.tags, frozenset[str])


def writes(cache: TieredCache) -> None:
    result = cache.set("key", 5, ttl=3600, tags=["a"], durability="disk")
    assert_type(result, WriteResult)
    assert_type(result.stored, bool)
    for each in result.tiers:
        assert_type(each.tier, str)
        assert_type(each.outcome, WriteOutcome)
    assert_type(cache.set_many({"key": 5}), dict[str, WriteResult])
    assert_type(cache.delete("key"), bool)
    assert_type(cache.delete_many(["key"]), int)
    assert_type(cache.touch("key", None), bool)
    assert_type(cache.clear(), int)
    assert_type(cache.invalidate_prefix("a/"), int)
    assert_type(cache.invalidate_tags("a", "b"), WriteResult)
    assert_type(cache.flush(), bool)
    assert_type(cache.journal(), list[JournalEntry])
    assert_type(cache.close("1s"), list[str])
    cache.set(5, 5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] # must be refused


def counts(cache: TieredCache) -> None:
    stats = cache.stats()
    assert_type(stats, CacheStats)
    assert_type(stats.hit_rate, float)
    assert_type(stats.tiers, tuple[TierStats, ...])
    assert_type(stats.tier("memory"), TierStats)
    assert_type(cache.fleet(since="1h"), FleetStats)

    def listen(event: Event) -> None:
        assert_type(event.key, str)

    remove: Callable[[], None] = cache.on_event(listen)
    assert_type(remove, "Callable[[], None]")


def uses_the_simple_face() -> None:
    with CacheManager(backend="redis") as manager:
        assert_type(manager, CacheManager)
        assert_type(manager.list_caches(), list[str])
        assert_type(manager.has_cache("name"), bool)
        assert_type(manager.remove_cache("name"), bool)
        cache = manager.get_cache("name")
        assert_type(cache, Cache)
        assert_type(cache.tiered, TieredCache)
        assert_type(cache.get("key"), Any)
        assert_type(cache.set("key", 5, ttl="10m"), bool)
        assert_type(cache.exists("key"), bool)
        assert_type("key" in cache, bool)
        assert_type(cache.delete("key"), bool)
        assert_type(cache.delete_pattern("user:*"), int)
        assert_type(cache.get_stats(), CacheStats)
        assert_type(cache.stats.hit_rate, float)
        cache.set("key", 5, ttl=Report())  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] # must be refused
    CacheManager(5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] # must be refused
