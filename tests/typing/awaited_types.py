"""Types of the asynchronous face; type checkers check this file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_type

from tiered_cache import (
    AsyncTieredCache,
    CacheStats,
    Explanation,
    JournalEntry,
    Lookup,
    MemoryTier,
    TieredCache,
    WriteResult,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


class Report:
    pass


async def analyze(path: str, depth: int = 1) -> Report:
    raise NotImplementedError


async def number() -> int:
    return 5


async def numbers(keys: Sequence[str]) -> dict[str, int]:
    return {key: len(key) for key in keys}


async def makes_stacks(cache: TieredCache) -> None:
    awaited = AsyncTieredCache.of(cache)
    assert_type(awaited, AsyncTieredCache)
    assert_type(awaited.sync, TieredCache)
    assert_type(awaited.namespace("view"), AsyncTieredCache)
    assert_type(AsyncTieredCache([MemoryTier()], default_ttl="1d"), AsyncTieredCache)
    assert_type(AsyncTieredCache.from_settings(), AsyncTieredCache)
    async with AsyncTieredCache([MemoryTier()]) as entered:
        assert_type(entered, AsyncTieredCache)


async def computes(cache: AsyncTieredCache) -> None:
    assert_type(await cache.get_or_compute("key", number), int)
    assert_type(await cache.get_or_compute("key", number, force=True), int)
    assert_type(await cache.get_or_compute("key", lambda: analyze("a"), ttl="1h"), Report)
    assert_type(await cache.refresh("key", number), int)
    assert_type(await cache.refresh("key", lambda: analyze("a"), ttl="1h", tags={"a"}), Report)
    assert_type(await cache.get_or_compute_many(["a"], numbers), dict[str, int])
    await cache.get_or_compute("key", Report)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] # must be refused
    await cache.refresh("key", Report)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] # must be refused


async def reads(cache: AsyncTieredCache) -> None:
    assert_type(await cache.get("key"), Any)
    assert_type(await cache.get_many(["key"]), dict[str, Any])
    assert_type(await cache.exists("key"), bool)
    assert_type(await cache.lookup("key"), Lookup)
    assert_type(await cache.peek("key"), Lookup)
    assert_type(await cache.explain("key"), list[Explanation])
    assert_type([key async for key in cache.keys()], list[str])  # noqa: SIM118 - no dictionary
    assert_type(await cache.stats(), CacheStats)


async def writes(cache: AsyncTieredCache) -> None:
    assert_type(await cache.set("key", 5), WriteResult)
    assert_type(await cache.set_many({"key": 5}), dict[str, WriteResult])
    assert_type(await cache.delete("key"), bool)
    assert_type(await cache.delete_many(["key"]), int)
    assert_type(await cache.touch("key", "1h"), bool)
    assert_type(await cache.clear(), int)
    assert_type(await cache.invalidate_prefix("a/"), int)
    assert_type(await cache.invalidate_tags("a"), WriteResult)
    assert_type(await cache.flush(), bool)
    assert_type(await cache.journal(), list[JournalEntry])
    assert_type(await cache.close(), list[str])
