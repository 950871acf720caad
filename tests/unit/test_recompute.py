"""`refresh` and `force=True`: a value is computed and stored, although a fresh one is there."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.patience import patient_redis
from tiered_cache import AsyncTieredCache, DiskTier, MemoryTier, TieredCache
from tiered_cache.policies import WriteBack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future, ThreadPoolExecutor
    from pathlib import Path

    from tiered_cache.contracts import Tier
    from tiered_cache.testing import ValkeyServer

WAIT_S = 30


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as made:
        yield made


@pytest.fixture(params=["through", "back"])
def cache(
    request: pytest.FixtureRequest, tmp_path: Path, valkey: ValkeyServer, namespace: str
) -> Iterator[TieredCache]:
    writing = WriteBack() if request.param == "back" else None
    tiers: list[Tier] = [MemoryTier(), DiskTier(tmp_path), patient_redis(valkey.url)]
    with TieredCache(tiers, namespace=namespace, writing=writing) as made:
        yield made


class Gated:
    """A function that waits until it may return."""

    def __init__(self, value: object) -> None:
        self.value = value
        self.began, self.go = threading.Event(), threading.Event()

    def __call__(self) -> object:
        self.began.set()
        assert self.go.wait(WAIT_S)
        return self.value


def begin(
    pool: ThreadPoolExecutor, call: Callable[..., object], key: str, value: object
) -> tuple[Future[object], Gated]:
    compute = Gated(value)
    future = pool.submit(call, key, compute)
    assert compute.began.wait(WAIT_S)
    return future, compute


def everywhere(cache: TieredCache, key: str) -> set[object]:
    """The values of a key in the tiers, one after the other."""
    assert cache.flush(WAIT_S)
    values = set()
    for level in cache._source.core().stack.levels:
        values.add(cache.peek(key).value)
        level.tier.delete(key)
    return values


def test_a_refresh_replaces_a_fresh_value_in_every_tier(cache: TieredCache) -> None:
    assert cache.get_or_compute("key", lambda: "old") == "old"
    assert cache.get_or_compute("key", lambda: "unused") == "old"
    assert cache.refresh("key", lambda: "new", ttl="1h") == "new"
    assert cache.get_or_compute("key", lambda: "unused") == "new"
    assert 0 < cache.lookup("key").remaining_s <= 3600
    assert everywhere(cache, "key") == {"new"}


def test_force_is_a_refresh(cache: TieredCache) -> None:
    cache.set("key", "old")
    assert cache.get_or_compute("key", lambda: "new", force=True) == "new"
    assert cache.get("key") == "new"
    view = cache.namespace("view")
    view.set("key", "old")
    assert view.refresh("key", lambda: "of the view") == "of the view"
    assert (view.get("key"), cache.get("key")) == ("of the view", "new")


def test_law_4_a_change_during_a_refresh_is_not_overwritten(
    cache: TieredCache, pool: ThreadPoolExecutor
) -> None:
    cache.set("key", "old")
    future, compute = begin(pool, cache.refresh, "key", "computed before the change")
    cache.set("key", "set")
    compute.go.set()
    assert future.result(WAIT_S) == "computed before the change"
    assert everywhere(cache, "key") == {"set"}


@pytest.mark.parametrize("change", ["delete", "clear"])
def test_law_4_a_removal_during_a_refresh_stands(
    cache: TieredCache, pool: ThreadPoolExecutor, change: str
) -> None:
    cache.set("key", "old")
    future, compute = begin(pool, cache.refresh, "key", "computed before the removal")
    if change == "delete":
        assert cache.delete("key")
    else:
        cache.clear()
    compute.go.set()
    assert future.result(WAIT_S) == "computed before the removal"
    assert "key" not in cache


def test_a_refresh_shares_no_computation_that_began_before(
    cache: TieredCache, pool: ThreadPoolExecutor
) -> None:
    older, compute = begin(pool, cache.get_or_compute, "key", "older")
    assert cache.refresh("key", lambda: "newer") == "newer"
    compute.go.set()
    assert older.result(WAIT_S) == "older"
    assert everywhere(cache, "key") == {"newer"}


def test_a_refresh_replaces_the_result_of_an_earlier_computation(
    cache: TieredCache, pool: ThreadPoolExecutor
) -> None:
    older, earlier = begin(pool, cache.get_or_compute, "key", "older")
    newer, later = begin(pool, cache.refresh, "key", "newer")
    earlier.go.set()
    assert older.result(WAIT_S) == "older"
    later.go.set()
    assert newer.result(WAIT_S) == "newer"
    assert everywhere(cache, "key") == {"newer"}


def test_misses_share_a_refresh_under_way(cache: TieredCache, pool: ThreadPoolExecutor) -> None:
    first, compute = begin(pool, cache.refresh, "key", "once")
    second = pool.submit(cache.get_or_compute, "key", lambda: "twice")
    flight = cache._source.core().stack.flights._under_way["key"]
    while flight.callers < 2:
        assert not second.done()
    compute.go.set()
    assert first.result(WAIT_S) == second.result(WAIT_S) == "once"


def test_an_exception_of_a_refresh_leaves_the_old_value(cache: TieredCache) -> None:
    cache.set("key", "old")
    with pytest.raises(ZeroDivisionError):
        cache.refresh("key", lambda: 1 // 0)
    assert cache.get("key") == "old"


def test_other_processes_hear_of_a_refresh(
    valkey: ValkeyServer, namespace: str, tmp_path: Path
) -> None:
    def process(folder: str) -> TieredCache:
        tiers: list[Tier] = [MemoryTier(), DiskTier(tmp_path / folder), patient_redis(valkey.url)]
        return TieredCache(tiers, namespace=namespace)

    with process("a") as one, process("b") as other:
        one.set("key", "old")
        assert other.get("key") == "old"
        one.refresh("key", lambda: "new")
        follower = other._source.core()._follower
        for log in other._source.core().stack.logs.all:
            assert follower._catch_up(log)
        assert other.get("key") == "new"


def test_a_cached_function_can_be_refreshed(cache: TieredCache) -> None:
    results = iter(["first", "second"])

    @cache.cached(ttl="1h")
    def analyze(path: str) -> str:
        return f"{path}: {next(results)}"

    assert analyze("a.py") == analyze("a.py") == "a.py: first"
    assert analyze.refresh("a.py") == "a.py: second"
    assert analyze(path="a.py") == "a.py: second"


def test_the_async_face_refreshes_too(cache: TieredCache) -> None:
    async def main() -> None:
        face = AsyncTieredCache.of(cache)
        results = iter(["first", "second", "third"])

        @face.cached
        async def analyze(path: str) -> str:
            return f"{path}: {next(results)}"

        assert [await analyze("a"), await analyze.refresh("a"), await analyze("a")] == [
            "a: first",
            "a: second",
            "a: second",
        ]

        async def compute() -> str:
            return "forced"

        await face.set("key", "old")
        assert await face.refresh("key", compute) == "forced"
        assert await face.get_or_compute("key", compute, force=True) == "forced"
        assert await face.get("key") == "forced"

    anyio.run(main)
