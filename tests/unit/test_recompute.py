"""`refresh` and `force=True`: a value is computed and stored, although a fresh one is there."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest

from tests.patience import patient_redis
from tests.waiting import until
from tiered_cache import AsyncTieredCache, DiskTier, MemoryTier, TieredCache
from tiered_cache.contracts import Absent
from tiered_cache.errors import TierUnavailableError
from tiered_cache.policies import WriteAround, WriteBack
from tiered_cache.testing import FakeClock, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future, ThreadPoolExecutor
    from pathlib import Path

    from tiered_cache._engine.state.pending import Pending
    from tiered_cache.contracts import Tell, Tier
    from tiered_cache.results import LookupStatus
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
    tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path), patient_redis(valkey.url)]
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
        tiers: list[Tier[Any]] = [
            MemoryTier(),
            DiskTier(tmp_path / folder),
            patient_redis(valkey.url),
        ]
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


def _values(cache: TieredCache, key: str) -> list[object]:
    """What each tier holds for a key, without the queue."""
    core = cache._source.core()
    values: list[object] = []
    for level in core.stack.levels:
        found = level.tier.get(key)
        if isinstance(found, Absent):
            values.append(None)
        elif isinstance(found.item, bytes):
            values.append(core.stack.codec.decode(key, found.item).value)
        else:
            values.append(found.item.value)
    return values


def _refresh_during(
    cache: TieredCache, pool: ThreadPoolExecutor, change: Callable[[], object]
) -> None:
    future, compute = begin(pool, cache.refresh, "key", "new")
    change()
    compute.go.set()
    assert future.result(WAIT_S) == "new"


@pytest.mark.parametrize("change", ["delete", "clear", "invalidate_prefix"])
def test_law_4_in_memory_alone_a_removal_during_a_refresh_stands(
    pool: ThreadPoolExecutor, change: str
) -> None:
    with TieredCache([MemoryTier()]) as cache:
        cache.set("key", "old")
        arguments = {"delete": ["key"], "clear": [], "invalidate_prefix": ["k"]}[change]
        _refresh_during(cache, pool, lambda: getattr(cache, change)(*arguments))
        assert "key" not in cache


@pytest.mark.parametrize("change", ["set", "delete", "clear", "invalidate_prefix"])
def test_law_4_a_change_by_another_cache_during_a_refresh_stands(
    pool: ThreadPoolExecutor, tmp_path: Path, change: str
) -> None:
    behind = FakeClock()
    behind.set_wall(time.time() - 2)
    with (
        TieredCache([MemoryTier(), DiskTier(tmp_path)]) as cache,
        TieredCache([MemoryTier(), DiskTier(tmp_path)], clock=behind) as other,
    ):
        cache.set("key", "old")
        arguments = {"set": ["key", "set"], "delete": ["key"], "clear": []}.get(change, ["k"])
        _refresh_during(cache, pool, lambda: getattr(other, change)(*arguments))
        assert _values(cache, "key") == [None, "set" if change == "set" else None]


def test_an_unrelated_invalidation_does_not_stop_a_refresh(
    cache: TieredCache, pool: ThreadPoolExecutor
) -> None:
    cache.set("key", "old")
    assert cache.flush(WAIT_S)
    _refresh_during(cache, pool, lambda: cache.invalidate_prefix("other"))
    assert everywhere(cache, "key") == {"new"}


def test_a_value_that_expires_during_its_refresh_is_replaced(
    pool: ThreadPoolExecutor, tmp_path: Path
) -> None:
    clock = FakeClock()
    with TieredCache([MemoryTier(), DiskTier(tmp_path)], clock=clock) as cache:
        cache.set("key", "old", ttl=10)
        _refresh_during(cache, pool, lambda: clock.advance(20))
        assert _values(cache, "key") == ["new", "new"]


def test_a_refresh_replaces_a_queued_write(tmp_path: Path) -> None:
    tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path)]
    with TieredCache(tiers, writing=WriteBack(flush_interval="1h", max_delay="1h")) as cache:
        cache.set("key", "old")
        assert cache.refresh("key", lambda: "new") == "new"
        assert cache.get("key") == "new"
        assert cache.flush(WAIT_S)
        assert _values(cache, "key") == ["new", "new"]


def test_a_refresh_with_a_full_queue_writes_at_once(tmp_path: Path) -> None:
    tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path)]
    writing = WriteBack(flush_interval="1h", max_delay="1h", max_pending=1)
    with TieredCache(tiers, writing=writing) as cache:
        cache.set("key", "old")
        assert cache.flush(WAIT_S)
        cache._source.core().stack.queue.has_room = lambda *_: False  # type: ignore[method-assign] # the flusher empties it
        assert cache.refresh("key", lambda: "new") == "new"
        assert _values(cache, "key") == ["new", "new"]


def test_no_tier_keeps_the_old_value_where_the_new_one_is_not_written(tmp_path: Path) -> None:
    tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path)]
    with TieredCache(tiers, writing=WriteAround()) as cache:
        cache.set("key", "old")
        assert cache.get("key") == "old", "promoted"
        cache.refresh("key", lambda: "new")
        assert _values(cache, "key") == [None, "new"]
        assert cache.get("key") == "new"
    with TieredCache([MemoryTier(), DiskTier(tmp_path / "other")]) as cache:
        cache.set("key", "old")
        cannot_be_written = threading.Lock()
        assert cache.refresh("key", lambda: cannot_be_written) is cannot_be_written
        assert _values(cache, "key") == [cannot_be_written, None]


class Fragile(DiskTier):
    """A disk tier that takes no change while it is broken."""

    broken = False

    def put(self, *args: Any, **kwargs: Any) -> bool:
        self._check()
        return super().put(*args, **kwargs)

    def delete(self, key: str) -> bool:
        self._check()
        return super().delete(key)

    def _check(self) -> None:
        if self.broken:
            raise TierUnavailableError("broken", tier=self.name)


def test_a_tier_that_fails_is_marked_as_outdated(tmp_path: Path) -> None:
    disk = Fragile(tmp_path)
    with TieredCache([MemoryTier(), disk]) as cache:
        cache.set("key", "old")
        disk.broken = True
        assert cache.refresh("key", lambda: "new") == "new"
        level = cache._source.core().stack.levels[1]
        assert "key" in level.outdated_keys
        disk.broken = False
        assert cache.refresh("key", lambda: "newer") == "newer"
        assert "key" not in level.outdated_keys
        assert _values(cache, "key") == ["newer", "newer"]


def test_a_refresh_holds_the_lease(tmp_path: Path, pool: ThreadPoolExecutor) -> None:
    with TieredCache([DiskTier(tmp_path)]) as one, TieredCache([DiskTier(tmp_path)]) as other:
        future, compute = begin(pool, one.refresh, "key", "once")
        second = pool.submit(other.get_or_compute, "key", lambda: "twice")
        wait_until(lambda: other.stats().waits == 1, "the other cache waits")
        compute.go.set()
        assert future.result(WAIT_S) == second.result(WAIT_S) == "once"


def test_a_forced_computation_gets_a_span() -> None:
    spans: list[str] = []

    def tell(outcome: LookupStatus, tier: str) -> None:
        spans.append(f"{outcome} {tier}")

    @contextlib.contextmanager
    def tracer(key: str) -> Iterator[Tell]:
        spans.append(key)
        yield tell

    with TieredCache([MemoryTier()]) as cache:
        cache.trace(tracer)
        cache.refresh("key", lambda: "new")
    assert spans == ["key"], "without a lookup there is no outcome to tell"


def test_a_cancelled_refresh_finishes_its_writes(tmp_path: Path) -> None:
    disk = Slow(tmp_path)
    with TieredCache([MemoryTier(), disk]) as cache:
        cache.set("key", "old")

        async def new() -> str:
            disk.slow = True
            return "new"

        async def main() -> None:
            face = AsyncTieredCache.of(cache)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(face.refresh, "key", new)
                await anyio.to_thread.run_sync(disk.began.wait, WAIT_S)
                tasks.cancel_scope.cancel()
                disk.go.set()
            both = ["new", "new"]
            await until(lambda: _values(cache, "key") == both)

        anyio.run(main)


class Slow(DiskTier):
    """A disk tier of which a write waits, while it is slow, until it may go on."""

    slow = False

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.began, self.go = threading.Event(), threading.Event()

    def put(self, *args: Any, **kwargs: Any) -> bool:
        if self.slow:
            self.began.set()
            assert self.go.wait(WAIT_S)
        return super().put(*args, **kwargs)


@pytest.mark.parametrize("change", ["set", "clear"])
def test_a_queued_refresh_yields_to_a_change_between_its_steps(tmp_path: Path, change: str) -> None:
    tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path)]
    with TieredCache(tiers, writing=WriteBack(flush_interval="1h", max_delay="1h")) as cache:
        cache.set("key", "old")
        assert cache.flush(WAIT_S)
        stack = cache._source.core().stack
        exchange = stack.queue.exchange

        def late(key: str, before: Pending | None, after: Pending | None) -> bool:
            stack.queue.exchange = exchange  # type: ignore[method-assign] # one step is made late
            cache.set("key", "set") if change == "set" else cache.clear()
            return exchange(key, before, after)

        stack.queue.exchange = late  # type: ignore[method-assign] # as above
        assert cache.refresh("key", lambda: "new") == "new"
        assert cache.flush(WAIT_S)
        assert _values(cache, "key") == (["set"] * 2 if change == "set" else [None] * 2)


@pytest.mark.parametrize("writing", [None, WriteBack(flush_interval="1h", max_delay="1h")])
@pytest.mark.parametrize("by", ["itself", "another"])
def test_law_4_a_set_during_a_refresh_stands_while_the_clock_is_frozen(
    pool: ThreadPoolExecutor, tmp_path: Path, writing: WriteBack | None, by: str
) -> None:
    frozen = FakeClock()
    with (
        TieredCache([MemoryTier(), DiskTier(tmp_path)], clock=frozen, writing=writing) as cache,
        TieredCache([MemoryTier(), DiskTier(tmp_path)], clock=frozen) as other,
    ):
        cache.set("key", "old")
        assert cache.flush(WAIT_S)
        changes = cache if by == "itself" else other
        _refresh_during(cache, pool, lambda: changes.set("key", "set"))
        assert cache.flush(WAIT_S)
        assert _values(cache, "key")[1] == "set"
        assert _values(cache, "key")[0] != "new"


def test_a_refresh_replaces_a_queued_write_of_the_same_instant(tmp_path: Path) -> None:
    tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path)]
    writing = WriteBack(flush_interval="1h", max_delay="1h")
    with TieredCache(tiers, clock=FakeClock(), writing=writing) as cache:
        cache.set("key", "old")
        assert cache.refresh("key", lambda: "new") == "new"
        assert cache.flush(WAIT_S)
        assert _values(cache, "key") == ["new", "new"]


@pytest.mark.parametrize("eviction", ["lru", "s3fifo"])
def test_law_4_no_other_key_hides_a_deletion_during_a_refresh(eviction: str) -> None:
    tier = MemoryTier(eviction=eviction)
    with TieredCache([tier]) as cache:
        cache.set("key", "old")
        generation, _ = cast("tuple[int, int]", tier.get("key").token)
        # Any other key, even one that no cache uses, may have the number that a deletion will make.
        while cast("tuple[int, int]", tier.get("\0").token)[0] <= generation:
            tier.delete("\0")
        cache.refresh("key", lambda: cache.delete("key"))
        assert "key" not in cache
