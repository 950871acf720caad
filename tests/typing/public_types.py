"""What type checkers must conclude of the public names; it is checked, not run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_type

from tiered_cache import (
    AsyncTieredCache,
    Cache,
    CacheManager,
    CacheStats,
    Lookup,
    MemoryTier,
    TieredCache,
    WriteResult,
    tiered,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


class Report:
    pass


def analyze(path: str, depth: int = 1) -> Report:
    raise NotImplementedError


def uses(cache: TieredCache, manager: CacheManager) -> None:
    assert_type(cache.get_or_compute("key", lambda: 5), int)
    assert_type(cache.get_or_compute("key", Report), Report)
    assert_type(tiered.get_or_compute("key", lambda: analyze("a"), ttl="1h", tags={"a"}), Report)
    assert_type(
        cache.get_or_compute_many(["a"], lambda keys: {key: len(key) for key in keys}),
        dict[str, int],
    )
    assert_type(cache.get("key"), Any)
    assert_type(cache.lookup("key"), Lookup)
    assert_type(cache.set("key", 5), WriteResult)
    assert_type(cache.stats(), CacheStats)
    assert_type(cache.namespace("view"), TieredCache)
    assert_type(manager.get_cache("name"), Cache)
    assert_type(MemoryTier().name, str)

    plain = cache.cached(analyze)
    assert_type(plain("a", depth=2), Report)
    assert_type(plain.key_for("a"), str)
    assert_type(plain.invalidate("a", 3), bool)
    plain(5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] # must be refused

    @cache.cached(ttl="1d", tags={"x"})
    def measure(path: str) -> float:
        return 1.0

    assert_type(measure("a"), float)
    assert_type(measure.uncached("a"), float)

    class Linter:
        @cache.cached(ignore=["self"])
        def lint(self, path: str) -> list[str]:
            return [path]

    assert_type(Linter().lint("a"), list[str])
    Linter().lint(5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] # must be refused


async def analyze_later(path: str, depth: int = 1) -> Report:
    raise NotImplementedError


async def number() -> int:
    return 5


async def numbers(keys: Sequence[str]) -> dict[str, int]:
    return {key: len(key) for key in keys}


async def awaits(cache: TieredCache) -> None:
    awaited = AsyncTieredCache.of(cache)
    assert_type(awaited.sync, TieredCache)
    assert_type(AsyncTieredCache([MemoryTier()], default_ttl="1d"), AsyncTieredCache)
    assert_type(await awaited.get_or_compute("key", number), int)
    assert_type(await awaited.get_or_compute("key", lambda: analyze_later("a"), ttl="1h"), Report)
    assert_type(await awaited.get_or_compute_many(["a"], numbers), dict[str, int])
    assert_type(await awaited.get("key"), Any)
    assert_type(await awaited.lookup("key"), Lookup)
    assert_type(await awaited.set("key", 5), WriteResult)
    assert_type(await awaited.stats(), CacheStats)
    assert_type(awaited.namespace("view"), AsyncTieredCache)
    assert_type([key async for key in awaited.keys()], list[str])  # noqa: SIM118 - no dictionary

    plain = awaited.cached(analyze_later)
    assert_type(await plain("a", depth=2), Report)
    assert_type(plain.key_for("a"), str)
    assert_type(await plain.invalidate("a", 3), bool)
    await plain(5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] # must be refused
    awaited.cached(analyze)  # type: ignore[arg-type] # pyright: ignore[reportCallIssue, reportArgumentType] # must be refused

    @awaited.cached(ttl="1d", tags={"x"})
    async def measure(path: str) -> float:
        return 1.0

    assert_type(await measure("a"), float)
    assert_type(await measure.uncached("a"), float)

    class Linter:
        @awaited.cached(ignore=["self"])
        async def lint(self, path: str) -> list[str]:
            return [path]

    assert_type(await Linter().lint("a"), list[str])
