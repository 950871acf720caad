"""The asynchronous face: the same methods, awaited, over the same cache."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import types
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest

from tests.patience import patient_redis
from tests.waiting import until
from tiered_cache import (
    AsyncTieredCache,
    CacheClosedError,
    ConfigurationError,
    DiskTier,
    Event,
    EventKind,
    InvalidKeyError,
    LookupStatus,
    MemoryTier,
    QueueFullError,
    RedisTier,
    TieredCache,
    current,
)
from tiered_cache._engine.drivers.asynchronous import _MAX_REFRESHES
from tiered_cache.errors import TierUnavailableError
from tiered_cache.policies import RefreshAhead, WriteBack
from tiered_cache.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from pathlib import Path

    from tiered_cache.contracts import Tier

WAIT_S = 30


def value_of(value: Any) -> Callable[[], Awaitable[Any]]:
    async def compute() -> Any:
        await anyio.lowlevel.checkpoint()
        return value

    return compute


@pytest.fixture(params=["memory", "memory+disk", "disk"])
def tiers(request: pytest.FixtureRequest, tmp_path: Path) -> list[Tier[Any]]:
    made: list[Tier[Any]] = []
    if "memory" in request.param:
        made.append(MemoryTier())
    if "disk" in request.param:
        made.append(DiskTier(tmp_path / "cache"))
    return made


@pytest.mark.proves("awaiting/twins")
def test_every_method_matches_its_synchronous_twin(run: Any, tiers: list[Tier[Any]]) -> None:
    async def main() -> None:
        async with AsyncTieredCache(tiers) as cache:
            sync = cache.sync
            assert await cache.get("key", "none") == "none"
            assert (await cache.set("key", [1], ttl="1h", tags={"t"})).stored
            assert await cache.get("key") == sync.get("key") == [1]
            found = await cache.lookup("key")
            assert (found.status, found.value) == (LookupStatus.HIT, [1])
            assert found.tags == {"t"}
            assert (await cache.lookup("other")).status is LookupStatus.MISS
            assert (await cache.peek("key")).value == [1]
            assert await cache.exists("key")
            assert not await cache.exists("other")
            assert await cache.touch("key", "2h")
            assert (await cache.lookup("key")).remaining_s > 3600
            results = await cache.set_many({"a": 1, "b": None})
            assert [bool(each) for each in results.values()] == [True, True]
            assert await cache.get_many(["a", "b", "c"]) == {"a": 1, "b": None}
            keys = [key async for key in cache.keys()]  # noqa: SIM118 - it is no dictionary
            assert sorted(keys) == sorted(sync.keys()) == ["a", "b", "key"]
            assert [each.tier for each in await cache.explain("a")] == [each.name for each in tiers]
            assert await cache.delete("a")
            assert not await cache.delete("a")
            assert await cache.delete_many([]) == 0
            assert await cache.delete_many(["b", "c"]) == 1
            assert await cache.invalidate_tags("t")
            assert await cache.get("key") is None
            await cache.set("x:1", 1)
            assert await cache.invalidate_prefix("x:") == 1
            assert await cache.get_or_compute("key", value_of(5)) == 5
            assert await cache.get("key") == 5
            assert await cache.clear() >= 1
            assert await cache.get("key") is None
            assert await cache.flush()
            assert await cache.journal() == []
            assert (await cache.fleet(within="process")).stats.computes == 1
            with pytest.raises(ConfigurationError, match="within"):
                await cache.fleet(within="everywhere")

    run(main)


def test_several_are_computed_in_one_call(run: Any, tiers: list[Tier[Any]]) -> None:
    asked: list[list[str]] = []

    async def compute(keys: Any) -> dict[str, int]:
        asked.append(list(keys))
        return {key: len(key) for key in keys if key != "none"}

    async def main() -> None:
        async with AsyncTieredCache(tiers) as cache:
            view = cache.namespace("view")
            await view.set("a", 100)
            found = await view.get_or_compute_many(["a", "bb", "none"], compute)
            assert found == {"a": 100, "bb": 2}
            assert asked == [["bb", "none"]]
            assert await view.get("bb") == 2
            assert await cache.get("bb") is None

    run(main)


@pytest.mark.proves("awaiting/twins")
def test_both_faces_share_values_and_statistics(run: Any) -> None:
    async def main() -> None:
        with TieredCache([MemoryTier()]) as sync:
            cache = AsyncTieredCache.of(sync)
            view, sync_view = cache.namespace("v"), sync.namespace("v")
            sync.set("key", 1)
            await view.set("key", 2)
            assert (await cache.get("key"), sync_view.get("key")) == (1, 2)
            assert (await view.get("key"), await view.get_or_compute("key", value_of(3))) == (2, 2)
            assert AsyncTieredCache.of(sync_view).sync.get("key") == 2
            assert (await cache.stats()).hits == sync.stats().hits == 5
            assert repr(view) == "<AsyncTieredCache default/v: memory>"
            assert repr(cache.sync) == "<TieredCache default: memory>"

    run(main)


@pytest.mark.proves("awaiting/memory-hit")
def test_a_hit_in_memory_does_not_suspend() -> None:
    cache = AsyncTieredCache([MemoryTier()])
    cache.sync.set("key", "value")

    @cache.cached
    async def function(argument: str) -> str:
        return argument

    asyncio.run(function("a"))
    for hit in (cache.get("key"), cache.get_or_compute("key", value_of(0)), function("a")):
        with pytest.raises(StopIteration) as ended:
            hit.send(None)  # without a loop: it must not wait for anything
        assert ended.value.value in ("value", "a")
    cache.sync.close()


@pytest.mark.proves("awaiting/compute-raises")
def test_law_1_an_exception_of_the_function_is_raised(run: Any, tiers: list[Tier[Any]]) -> None:
    error = ValueError("broken")

    async def fail() -> None:
        raise error

    async def main() -> None:
        async with AsyncTieredCache(tiers) as cache:
            with pytest.raises(ValueError, match="broken") as raised:
                await cache.get_or_compute("key", fail)
            assert raised.value is error
            assert await cache.get_or_compute("key", value_of(1)) == 1

    run(main)


@pytest.mark.proves("awaiting/compute-raises")
def test_law_1_a_function_may_end_in_a_cancellation_of_its_own() -> None:
    async def fail() -> None:
        task = asyncio.ensure_future(asyncio.sleep(WAIT_S))
        task.cancel()
        await task

    async def main() -> None:
        async with AsyncTieredCache([MemoryTier()]) as cache:
            with pytest.raises(asyncio.CancelledError):
                await cache.get_or_compute("key", fail)
            assert await cache.get_or_compute("key", value_of(1)) == 1

    asyncio.run(main())


@pytest.mark.proves("awaiting/compute-raises")
@pytest.mark.parametrize("kind", [StopIteration, StopAsyncIteration])
def test_law_1_a_coroutine_may_raise_stop_iteration(run: Any, kind: type[Exception]) -> None:
    async def fail() -> None:
        raise kind

    async def raised_by(call: Awaitable[None]) -> str:
        try:
            await call
        except Exception as error:
            return repr(error)
        return "nothing"

    async def main() -> None:
        async with AsyncTieredCache([MemoryTier()]) as cache:
            bare = await raised_by(fail())
            assert await raised_by(cache.get_or_compute("key", fail)) == bare != "nothing"

    run(main)


def test_the_function_can_say_how_its_result_is_kept(run: Any) -> None:
    async def compute() -> int:
        await anyio.lowlevel.checkpoint()
        current().add_tags({"t"})
        current().set_ttl("1h")
        return 1

    async def main() -> None:
        async with AsyncTieredCache([MemoryTier()]) as cache:
            await cache.get_or_compute("key", compute)
            found = await cache.lookup("key")
            assert found.tags == {"t"}
            assert found.remaining_s <= 3600

    run(main)


def test_results_of_coroutine_functions_are_kept(run: Any, tiers: list[Tier[Any]]) -> None:
    calls: list[tuple[Any, ...]] = []

    async def main() -> None:
        async with AsyncTieredCache(tiers) as cache:

            @cache.cached(ttl="1h", ignore=["self"])
            async def function(self: object, path: str, depth: int = 1) -> str:
                """A docstring."""
                calls.append((path, depth))
                return f"{path} {depth}"

            class Holder:
                method = function

            @cache.cached
            async def one(name: str) -> str:
                calls.append((name,))
                return name

            assert await Holder().method("a", depth=2) == "a 2"
            assert await Holder().method("a", 2) == "a 2"
            assert [await one("x"), await one("x"), await one(name="x")] == ["x"] * 3
            assert calls == [("a", 2), ("x",)]
            assert await one.invalidate("x")
            assert not await one.invalidate("x")
            assert await one.uncached("x") == "x"
            assert await cache.get(function.key_for(None, "a", 2)) == "a 2"
            assert asyncio.iscoroutinefunction(function)
            assert function.__doc__ == "A docstring."

    run(main)


def test_functions_of_the_other_kind_are_refused_with_the_right_call() -> None:
    with TieredCache([MemoryTier()]) as sync:
        cache = AsyncTieredCache.of(sync)

        async def awaited(a: str) -> str:
            return a

        def called(a: str) -> str:
            return a

        async def generates(a: str) -> Any:
            yield a

        with pytest.raises(ConfigurationError, match=r"AsyncTieredCache\.of\(cache\)\.cached"):
            sync.cached(awaited)
        with pytest.raises(ConfigurationError, match=r"cache\.sync\.cached"):
            cache.cached(called)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] # a mistake
        with pytest.raises(ConfigurationError, match="generator"):
            cache.cached(generates)  # pyright: ignore[reportArgumentType] # a mistake


def test_both_kinds_of_functions_have_the_same_keys() -> None:
    async def awaited(a: str, b: int) -> str:
        return a

    def called(a: str, b: int) -> str:
        return a

    called.__qualname__ = awaited.__qualname__
    with TieredCache([MemoryTier()]) as sync:
        key = AsyncTieredCache.of(sync).cached(awaited).key_for("a", 1)
        assert key == sync.cached(called).key_for("a", 1)


def test_it_opens_its_tiers_when_it_is_first_used(run: Any, tmp_path: Path) -> None:
    async def main() -> None:
        cache = AsyncTieredCache([MemoryTier(), DiskTier(tmp_path / "cache")])
        assert not (tmp_path / "cache").exists()
        await cache.get("key")
        assert (tmp_path / "cache").exists()
        await cache.close()
        with pytest.raises(CacheClosedError):
            await cache.get("key")
        with pytest.raises(CacheClosedError):
            await cache.set("key", 1)
        assert await cache.close() == []

    run(main)


def test_mistakes_are_told(run: Any) -> None:
    with pytest.raises(ConfigurationError, match="failures_to_open"):
        AsyncTieredCache([MemoryTier()], failures_to_open=0)

    async def main() -> None:
        with pytest.raises(ConfigurationError, match="at least one tier"):
            await AsyncTieredCache([]).get("key")
        async with AsyncTieredCache([MemoryTier()]) as cache:
            with pytest.raises(InvalidKeyError):
                await cache.get("")
            with pytest.raises(InvalidKeyError):
                await cache.get_many("key")
            with pytest.raises(ConfigurationError):
                await cache.set("key", 1, durability="never")

    run(main)


def test_it_is_built_from_the_settings(
    run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TIERED_CACHE_NAMESPACE", "of-settings")

    async def main() -> None:
        async with AsyncTieredCache.from_settings() as cache:
            await cache.set("key", 1)
            assert [each.name for each in (await cache.stats()).tiers] == ["memory", "disk"]

    run(main)


def test_events_are_told(run: Any, tiers: list[Tier[Any]]) -> None:
    events: list[Event] = []

    async def main() -> None:
        async with AsyncTieredCache(tiers) as cache:
            remove = await cache.on_event(events.append)
            await cache.set("key", 1)
            await cache.get("key")
            remove()
            await cache.get("key")

    run(main)
    kinds = [each.kind for each in events]
    assert kinds == [EventKind.WRITE] * len(tiers) + [EventKind.HIT]


@pytest.mark.proves("awaiting/refreshing")
def test_stale_values_are_served_while_they_are_recomputed(run: Any, tmp_path: Path) -> None:
    clock = FakeClock()
    tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path / "cache")]

    async def main() -> None:
        async with AsyncTieredCache(tiers, stale_for="1h", clock=clock) as cache:
            began, go = anyio.Event(), anyio.Event()

            async def compute() -> str:
                began.set()
                await go.wait()
                return "new"

            assert await cache.get_or_compute("key", value_of("old"), ttl=10) == "old"
            clock.advance(11)
            assert [await cache.get_or_compute("key", compute) for _ in range(3)] == ["old"] * 3
            await began.wait()
            go.set()
            await until(lambda: cache.sync.get("key") == "new")

    run(main)


@pytest.mark.proves("awaiting/refreshing")
def test_values_are_recomputed_ahead_of_their_expiry(run: Any) -> None:
    clock = FakeClock()

    async def main() -> None:
        policy = RefreshAhead(0.5)
        async with AsyncTieredCache([MemoryTier()], refreshing=policy, clock=clock) as cache:
            assert await cache.get_or_compute("key", value_of("old"), ttl=10) == "old"
            clock.advance(8)
            assert await cache.get_or_compute("key", value_of("new"), ttl=10) == "old"
            await until(lambda: cache.sync.get("key") == "new")

    run(main)


def test_stale_values_beyond_the_refresh_limit_have_their_turn(run: Any) -> None:
    clock = FakeClock()
    keys = [f"{number}" for number in range(_MAX_REFRESHES + 50)]

    async def compute(keys: Any) -> dict[str, float]:
        await anyio.lowlevel.checkpoint()
        return dict.fromkeys(keys, clock.wall())

    async def main() -> None:
        async with AsyncTieredCache([MemoryTier()], stale_for="1h", clock=clock) as cache:
            old = await cache.get_or_compute_many(keys, compute, ttl=10)
            clock.advance(11)
            assert await cache.get_or_compute_many(keys, compute, ttl=10) == old
            await until(lambda: len(cache.sync.get_many(keys)) == _MAX_REFRESHES)

            async def all_are_fresh() -> bool:
                await cache.get_or_compute_many(keys, compute, ttl=10)
                return len(cache.sync.get_many(keys)) == len(keys)

            await until(all_are_fresh)

    run(main)


def test_a_failed_refresh_is_no_concern_of_the_caller(
    run: Any, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()

    async def fail() -> str:
        msg = "broken"
        raise ValueError(msg)

    async def main() -> None:
        async with AsyncTieredCache([MemoryTier()], stale_for="1h", clock=clock) as cache:
            await cache.get_or_compute("key", value_of("old"), ttl=10)
            clock.advance(11)
            assert await cache.get_or_compute("key", fail) == "old"
            await until(lambda: "Recomputing 'key' raised ValueError" in caplog.text)

    run(main)


@pytest.mark.proves("awaiting/write-back")
def test_law_7_write_back_acknowledges_and_drains(run: Any, redis_url: str, namespace: str) -> None:
    async def main() -> None:
        tiers: list[Tier[Any]] = [MemoryTier(), RedisTier(redis_url, timeout="5s")]
        writing = WriteBack(durability="disk", flush_interval="1h", max_delay="1h")
        async with AsyncTieredCache(tiers, writing=writing, namespace=namespace) as cache:
            result = await cache.set("key", 1)
            assert [each.outcome.value for each in result.tiers] == ["written", "queued"]
            assert [each.key for each in await cache.journal()] == ["key"]
            assert await cache.get("key") == 1
            assert await cache.delete("key")
            await cache.set("other", 2)
            assert await cache.flush()
            assert await cache.journal() == []
            assert (await cache.drop_parked(), await cache.retry_parked()) == (0, 0)
        async with AsyncTieredCache([patient_redis(redis_url)], namespace=namespace) as cache:
            assert await cache.get_many(["key", "other"]) == {"other": 2}

    run(main)


@pytest.mark.proves("awaiting/write-back")
def test_law_7_a_full_queue_makes_writers_wait_and_not_the_loop(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path / "cache")]
        writing = WriteBack(flush_interval="1h", max_delay="1h", max_pending=1000)
        async with AsyncTieredCache(tiers, writing=writing) as cache:
            queue = cache.sync._source.core().stack.queue
            queue.limits = queue.limits._replace(max_pending=1)
            monkeypatch.setattr(queue, "take", list)
            await cache.set("a", 1)
            async with anyio.create_task_group() as group:
                group.start_soon(cache.set, "b", 2)
                await until(lambda: bool(queue._watchers))
                monkeypatch.undo()
                await cache.flush()
            assert await cache.get("b") == 2

    run(main)


@pytest.mark.proves("awaiting/deadlines")
def test_law_8_no_writer_waits_for_ever(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiered_cache._engine.drivers.asynchronous.ROOM_WAIT_S", 0.01)

    async def main() -> None:
        tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path / "cache")]
        writing = WriteBack(flush_interval="1h", max_delay="1h")
        async with AsyncTieredCache(tiers, writing=writing) as cache:
            queue = cache.sync._source.core().stack.queue
            queue.limits = queue.limits._replace(max_pending=1)
            monkeypatch.setattr(queue, "take", list)
            await cache.set("a", 1)
            with pytest.raises(QueueFullError):
                await cache.set("b", 2)
            monkeypatch.undo()

    run(main)


@pytest.mark.proves("awaiting/many-loops")
def test_a_cache_outlives_its_loops(tmp_path: Path) -> None:
    cache = AsyncTieredCache([MemoryTier(), DiskTier(tmp_path / "cache")])

    async def main(number: int) -> Any:
        await cache.set(f"{number}", number)
        cache.sync._source.core().stack.levels[0].tier.clear()
        return await cache.get_or_compute("key", value_of(number))

    assert [anyio.run(main, number) for number in range(3)] == [0, 0, 0]
    assert anyio.run(main, 3, backend="trio") == 0
    assert cache.sync.get("2") == 2
    side: Any = cache._source.core().side
    homes = side._driver._homes
    assert homes._homes == {}
    cache.sync.close()


@pytest.mark.proves("awaiting/many-loops")
def test_several_loops_use_one_cache_together(tmp_path: Path) -> None:
    from tiered_cache.testing import race

    cache = AsyncTieredCache([MemoryTier(), DiskTier(tmp_path / "cache")])
    asked: list[int] = []
    calls: list[int] = []

    async def compute() -> int:
        calls.append(1)
        await until(lambda: len(asked) == 8)
        return len(calls)

    async def main() -> Any:
        asked.append(1)
        return await cache.get_or_compute("key", compute)

    backends = ["asyncio", "trio"] * 4
    assert race(8, lambda number: anyio.run(main, backend=backends[number])) == [1] * 8
    cache.sync.close()


def test_strict_caches_raise_the_faults_of_tiers(run: Any, tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncTieredCache([MemoryTier(), DiskTier(tmp_path)], strict=True) as cache:
            level = cache.sync._source.core().stack.levels[1]
            level.breaker.trip()
            with pytest.raises(TierUnavailableError):
                await cache.get("key")
            with pytest.raises(TierUnavailableError):
                await cache.set("key", 1)
            level.breaker.succeeded()

    run(main)


@pytest.mark.proves("awaiting/lazy-import")
def test_nothing_of_it_is_imported_without_need() -> None:
    program = (
        "import sys, tiered_cache; tiered_cache.TieredCache([tiered_cache.MemoryTier()]).close();"
        "print([each for each in ('anyio', 'asyncio', 'trio') if each in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.proves("awaiting/lazy-import")
def test_without_anyio_the_error_names_the_extra() -> None:
    program = (
        "import sys; sys.modules['anyio'] = None\n"
        "from tiered_cache import AsyncTieredCache, MemoryTier\n"
        "try:\n    AsyncTieredCache([MemoryTier()])\n"
        "except ImportError as error: print(type(error).__name__, error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.startswith("MissingExtraError")
    assert "tiered-cache[async]" in done.stdout


@pytest.mark.proves("awaiting/many-loops")
def test_a_forked_child_uses_it_in_a_loop_of_its_own(tmp_path: Path) -> None:
    from tiered_cache.testing import in_forked_child

    cache = AsyncTieredCache([MemoryTier(), DiskTier(tmp_path / "cache")])
    asyncio.run(_set_and_get(cache, "parent"))
    assert in_forked_child(lambda: asyncio.run(_set_and_get(cache, "child"))) == "child"
    assert asyncio.run(_set_and_get(cache, "again")) == "again"
    assert cache.sync.get("child") == "child"
    cache.sync.close()


async def _set_and_get(cache: AsyncTieredCache, key: str) -> Any:
    await cache.set(key, key)
    return await cache.get(key)


def test_a_generator_based_coroutine_can_be_awaited() -> None:
    @types.coroutine
    def compute() -> Generator[object, None, str]:
        yield from anyio.lowlevel.checkpoint().__await__()
        return "value"

    async def main() -> None:
        async with AsyncTieredCache([MemoryTier()]) as cache:
            assert await cache.get_or_compute("key", compute) == "value"

    anyio.run(main)
