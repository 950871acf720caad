"""How far a removal of many keys is, told while it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tiered_cache import DiskTier, MemoryTier, RedisTier, TieredCache
from tiered_cache.manager import Cache

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tiered_cache.contracts import Tier

COUNT = 1200


@pytest.fixture
def cache(tmp_path: Path, redis_url: str, namespace: str) -> Iterator[TieredCache]:
    tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path), RedisTier(redis_url, timeout="5s")]
    with TieredCache(tiers, namespace=namespace) as made:
        made.set_many({f"old:{number}": number for number in range(COUNT)})
        made.set("new", 1)
        yield made


@pytest.mark.proves("removing/progress")
def test_each_tier_tells_how_far_it_is_the_slowest_first(cache: TieredCache) -> None:
    told: list[tuple[str, int]] = []
    count = cache.invalidate_prefix("old:", lambda *step: told.append(step))
    assert count == COUNT
    names = [name for name, _ in told]
    assert [*dict.fromkeys(names)] == ["redis", "disk", "memory"]
    for name in ("redis", "disk", "memory"):
        counts = [count for each, count in told if each == name]
        assert counts == sorted(counts)
        assert counts[-1] == COUNT
    assert names.count("disk") == 3
    assert names.count("redis") > 1
    assert [*cache.keys()] == ["new"]


@pytest.mark.proves("removing/progress")
def test_a_clear_tells_as_well(cache: TieredCache) -> None:
    told: list[tuple[str, int]] = []
    Cache("mine", cache).clear(lambda *step: told.append(step))
    assert ("redis", COUNT + 1) in told
    assert ("disk", COUNT + 1) in told
    assert [*cache.keys()] == []


@pytest.mark.proves("removing/progress")
def test_law_1_a_failing_progress_callback_leaves_no_clear_half_done(
    cache: TieredCache, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(name: str, count: int) -> None:
        raise ZeroDivisionError

    assert cache.invalidate_prefix("old:", fail) == COUNT
    assert [*cache.keys()] == ["new"]
    assert "ZeroDivisionError" in caplog.text
    assert [each.breaker for each in cache.stats().tiers] == ["closed"] * 3


@pytest.mark.proves("removing/pattern-progress")
def test_a_pattern_is_removed_in_steps(cache: TieredCache) -> None:
    told: list[tuple[int, int]] = []
    assert Cache("mine", cache).delete_pattern("o*:*", lambda *step: told.append(step)) == COUNT
    assert told == [(500, COUNT), (1000, COUNT), (COUNT, COUNT)]
    assert [*cache.keys()] == ["new"]
