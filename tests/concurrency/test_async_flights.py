"""One computation for tasks and threads, and the effect of cancellations on it (law 2)."""

from __future__ import annotations

import asyncio
import gc
import logging
import random
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest

from tests.patience import patient_disk
from tests.waiting import random_pause, random_turns, until
from tiered_cache import (
    AsyncTieredCache,
    ComputationTimeoutError,
    DiskTier,
    MemoryTier,
    RedisTier,
    SingleFlight,
    TieredCache,
)
from tiered_cache.tiers.disk._leases import DiskLeases

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tiered_cache.contracts import Tier

WAIT_S = 30


class Gated:
    """A coroutine function that counts its calls and waits for `go` before it returns."""

    def __init__(self, result: Any = "value") -> None:
        self.calls = 0
        self.cancelled = 0
        self.result = result
        self.began = anyio.Event()
        self.go = anyio.Event()

    async def __call__(self) -> Any:
        self.calls += 1
        self.began.set()
        try:
            await self.go.wait()
        except anyio.get_cancelled_exc_class():
            self.cancelled += 1
            raise
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result


async def all_wait(cache: AsyncTieredCache, callers: int, key: str = "key") -> None:
    """Let tasks run until so many want the outcome of the computation of a key."""
    flights = cache.sync._source.core().stack.flights
    await until(lambda: getattr(flights._under_way.get(key), "callers", 0) >= callers)


def under_way(cache: AsyncTieredCache) -> dict[str, Any]:
    return cache.sync._source.core().stack.flights._under_way


def nothing_is_held(cache: AsyncTieredCache) -> bool:
    return not under_way(cache) and not cache.sync._source.core().stack.leases._held


@pytest.mark.proves("law-2/tasks")
def test_law_2_200_tasks_beside_16_threads_compute_once(run: Any) -> None:
    async def main() -> None:
        async with AsyncTieredCache([MemoryTier()]) as cache:
            compute = Gated(["a", "value"])
            results: list[Any] = []
            futures: list[Future[Any]] = []

            async def ask() -> None:
                results.append(await cache.get_or_compute("key", compute))

            def never() -> Any:
                raise AssertionError("the tasks compute it")

            with ThreadPoolExecutor(16) as pool:
                async with anyio.create_task_group() as group:
                    for _ in range(200):
                        group.start_soon(ask)
                    await compute.began.wait()
                    sync = cache.sync
                    ask_it = partial(sync.get_or_compute, "key", never)
                    futures.extend([pool.submit(ask_it) for _ in range(16)])
                    await all_wait(cache, 216)
                    compute.go.set()
                results += [
                    await anyio.to_thread.run_sync(future.result, WAIT_S) for future in futures
                ]
            assert compute.calls == 1
            assert len(results) == 216
            assert all(result is results[0] for result in results)
            stats = await cache.stats()
            assert (stats.misses, stats.coalesced, stats.computes) == (216, 215, 1)

    run(main)


@pytest.mark.proves("law-2/tasks")
def test_law_2_tasks_wait_for_a_thread_that_computes(run: Any) -> None:
    async def main() -> None:
        async with AsyncTieredCache([MemoryTier()]) as cache:
            began, go = threading.Event(), threading.Event()
            results: list[str] = []

            def compute() -> str:
                began.set()
                assert go.wait(WAIT_S)
                return "of the thread"

            async with anyio.create_task_group() as group:
                sync = cache.sync
                ask_it: Any = partial(sync.get_or_compute, "key", compute)
                group.start_soon(anyio.to_thread.run_sync, ask_it)
                await anyio.to_thread.run_sync(began.wait, WAIT_S)

                async def ask() -> None:
                    results.append(await cache.get_or_compute("key", Gated()))

                for _ in range(3):
                    group.start_soon(ask)
                await all_wait(cache, 4)
                go.set()
            assert results == ["of the thread"] * 3

    run(main)


def test_law_2_an_exception_of_the_leader_reaches_every_task(run: Any) -> None:
    async def main() -> None:
        async with AsyncTieredCache([MemoryTier()]) as cache:
            error = ValueError("broken")
            compute = Gated(error)
            raised: list[BaseException] = []

            async def ask() -> None:
                try:
                    await cache.get_or_compute("key", compute)
                except ValueError as broken:
                    raised.append(broken)

            async with anyio.create_task_group() as group:
                for _ in range(5):
                    group.start_soon(ask)
                await all_wait(cache, 5)
                compute.go.set()
            assert raised == [error] * 5
            assert compute.calls == 1

    run(main)


@pytest.mark.proves("awaiting/cancelled-caller")
def test_law_2_cancelling_one_caller_is_no_concern_of_the_others(run: Any) -> None:
    """The leader is cancelled, and then a waiter."""

    async def main() -> None:
        async with AsyncTieredCache([MemoryTier()]) as cache:
            compute = Gated()
            results: list[Any] = []

            async def ask(scope: anyio.CancelScope) -> None:
                with scope:
                    results.append(await cache.get_or_compute("key", compute))

            scopes = [anyio.CancelScope() for _ in range(5)]
            async with anyio.create_task_group() as group:
                group.start_soon(ask, scopes[0])
                await compute.began.wait()
                for scope in scopes[1:]:
                    group.start_soon(ask, scope)
                await all_wait(cache, 5)
                scopes[0].cancel()
                scopes[2].cancel()
                await all_want(cache, 3)
                compute.go.set()
            assert results == ["value"] * 3
            assert [scope.cancelled_caught for scope in scopes] == [True, False, True, False, False]
            assert (compute.calls, compute.cancelled) == (1, 0)
            assert await cache.get("key") == "value"

    run(main)


async def has(cache: AsyncTieredCache, value: Any) -> bool:
    """Whether the cache serves `value` for the key."""
    return bool(await cache.get("key") == value)


async def all_want(cache: AsyncTieredCache, callers: int) -> None:
    await until(lambda: bool(under_way(cache)["key"].callers == callers))


@pytest.mark.proves("awaiting/abandoned-computation")
def test_law_2_cancelling_all_callers_cancels_the_computation(run: Any) -> None:
    async def main() -> None:
        async with AsyncTieredCache([MemoryTier()]) as cache:
            compute = Gated()
            async with anyio.create_task_group() as group:
                for _ in range(5):
                    group.start_soon(cache.get_or_compute, "key", compute)
                await all_wait(cache, 5)
                group.cancel_scope.cancel()
            await until(lambda: not under_way(cache))
            assert (compute.calls, compute.cancelled) == (1, 1)
            assert await cache.get_or_compute("key", anyio_value("again")) == "again"

    run(main)


def anyio_value(value: Any) -> Callable[[], Awaitable[Any]]:
    async def compute() -> Any:
        await anyio.lowlevel.checkpoint()
        return value

    return compute


@pytest.mark.proves("awaiting/abandoned-computation")
def test_a_cancelled_lone_caller_ends_after_its_computation(run: Any) -> None:
    """The cleanup of a cancelled function ends before its caller continues, as without a cache."""
    order: list[str] = []

    async def compute() -> None:
        order.append("began")
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                for _ in range(100):
                    await anyio.lowlevel.checkpoint()
            order.append("cleaned up")

    async def main() -> None:
        async with AsyncTieredCache([MemoryTier()]) as cache:
            scope = anyio.CancelScope()

            async def ask() -> None:
                with scope:
                    await cache.get_or_compute("key", compute)
                order.append("went on")

            async with anyio.create_task_group() as group:
                group.start_soon(ask)
                await until(lambda: order == ["began"])
                scope.cancel()

    run(main)
    assert order == ["began", "cleaned up", "went on"]


@pytest.mark.proves("awaiting/cancelled-caller")
def test_a_thread_that_waits_keeps_the_computation_alive(run: Any) -> None:
    async def main() -> None:
        async with AsyncTieredCache([MemoryTier()]) as cache:
            compute = Gated()
            futures: list[Future[Any]] = []
            with ThreadPoolExecutor(1) as pool:
                async with anyio.create_task_group() as group:
                    group.start_soon(cache.get_or_compute, "key", compute)
                    await compute.began.wait()
                    ask = cache.sync.get_or_compute
                    futures.append(pool.submit(ask, "key", lambda: "not me"))
                    await all_wait(cache, 2)
                    group.cancel_scope.cancel()
                compute.go.set()
                assert await anyio.to_thread.run_sync(futures[0].result, WAIT_S) == "value"
            assert compute.cancelled == 0

    run(main)


def test_native_cancellations_and_timeouts_of_asyncio() -> None:
    async def main() -> None:
        async with AsyncTieredCache([MemoryTier()]) as cache:
            compute = Gated()
            first = asyncio.create_task(cache.get_or_compute("key", compute))
            second = asyncio.create_task(cache.get_or_compute("key", compute))
            await all_wait(cache, 2)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            compute.go.set()
            assert await second == "value"
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(cache.get_or_compute("other", Gated()), 0.01)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await cache.get_or_compute("third", Gated())
            assert not under_way(cache)

    asyncio.run(main())


@pytest.mark.proves("awaiting/own-key")
def test_a_computation_may_ask_for_its_own_key(run: Any, tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncTieredCache([MemoryTier(), DiskTier(tmp_path)]) as cache:
            depths: list[int] = []

            async def compute() -> int:
                depths.append(len(depths))
                if len(depths) < 3:
                    return await cache.get_or_compute("key", compute) + 1
                return 0

            assert await cache.get_or_compute("key", compute) == 2
            assert depths == [0, 1, 2]

    run(main)


@pytest.mark.proves("awaiting/own-key")
def test_two_computations_that_ask_for_each_others_keys_end(run: Any) -> None:
    async def main() -> None:
        async with AsyncTieredCache([MemoryTier()]) as cache:
            both = {"a": anyio.Event(), "b": anyio.Event()}

            async def compute(key: str, other: str) -> Any:
                both[key].set()
                await both[other].wait()
                return key + await cache.get_or_compute(other, anyio_value("alone"))

            results: dict[str, Any] = {}

            async def ask(key: str, other: str) -> None:
                results[key] = await cache.get_or_compute(key, partial(compute, key, other))

            async with anyio.create_task_group() as group:
                group.start_soon(ask, "a", "b")
                group.start_soon(ask, "b", "a")
            assert min(results.values(), key=len) in ("aalone", "balone")

    run(main)


@pytest.mark.proves("awaiting/own-key")
def test_tasks_that_a_computation_starts_belong_to_it(run: Any) -> None:
    async def main() -> None:
        async with AsyncTieredCache([MemoryTier()]) as cache:
            inner: list[str] = []

            async def ask() -> None:
                inner.append(await cache.get_or_compute("key", anyio_value("inner")))

            async def compute() -> str:
                async with anyio.create_task_group() as group:
                    group.start_soon(ask)
                return "outer"

            assert await cache.get_or_compute("key", compute) == "outer"
            assert inner == ["inner"]

    run(main)


def test_a_waiter_that_times_out_follows_on_timeout(run: Any) -> None:
    async def main() -> None:
        flight = SingleFlight(timeout=0.01, on_timeout="raise")
        async with AsyncTieredCache([MemoryTier()], single_flight=flight) as cache:
            compute = Gated()
            async with anyio.create_task_group() as group:
                group.start_soon(cache.get_or_compute, "key", compute)
                await compute.began.wait()
                with pytest.raises(ComputationTimeoutError):
                    await cache.get_or_compute("key", compute)
                compute.go.set()

    run(main)


def test_keys_of_several_callers_are_computed_once_each(run: Any) -> None:
    async def main() -> None:
        async with AsyncTieredCache([MemoryTier()]) as cache:
            asked: list[str] = []
            began, go = anyio.Event(), anyio.Event()

            async def compute(keys: Any) -> dict[str, str]:
                asked.extend(keys)
                began.set()
                await go.wait()
                return {key: key for key in keys}

            found: list[dict[str, str]] = []

            async def ask(*keys: str) -> None:
                found.append(await cache.get_or_compute_many(keys, compute))

            async with anyio.create_task_group() as group:
                group.start_soon(ask, "a", "b")
                await began.wait()
                group.start_soon(ask, "b", "c")
                with anyio.move_on_after(0.01):
                    await ask("a", "b", "d")
                await all_wait(cache, 2, "b")
                go.set()
            assert sorted(asked) == ["a", "b", "c", "d"]
            assert {"a": "a", "b": "b"} in found
            assert {"b": "b", "c": "c"} in found
            assert not under_way(cache)

    run(main)


@pytest.fixture(params=["disk", "redis"])
def shared(
    request: pytest.FixtureRequest, tmp_path: Path, redis_url: str, namespace: str
) -> Callable[..., AsyncTieredCache]:
    """Makes caches that share a tier, as processes or hosts do."""

    def make(**options: Any) -> AsyncTieredCache:
        tier: Tier[Any] = (
            patient_disk(tmp_path / "shared")
            if request.param == "disk"
            else RedisTier(redis_url, timeout="10s")
        )
        return AsyncTieredCache([MemoryTier(), tier], namespace=namespace, **options)

    return make


@pytest.mark.proves("awaiting/shared-tiers")
def test_law_2_caches_that_share_a_tier_compute_once(
    run: Any, shared: Callable[..., AsyncTieredCache]
) -> None:
    async def main() -> None:
        calls: list[int] = []
        asked: list[AsyncTieredCache] = []

        async def compute() -> int:
            calls.append(1)
            await until(lambda: len(asked) == 20)
            return len(calls)

        caches = [shared() for _ in range(4)]
        results: list[int] = []

        async def ask(cache: AsyncTieredCache) -> None:
            asked.append(cache)
            results.append(await cache.get_or_compute("key", compute))

        async with anyio.create_task_group() as group:
            for cache in caches * 5:
                group.start_soon(ask, cache)
        assert (calls, results) == ([1], [1] * 20)
        for cache in caches:
            await cache.close()

    run(main)


@pytest.mark.proves("awaiting/abandoned-computation")
def test_a_cancelled_leader_gives_its_lease_back(
    run: Any, shared: Callable[..., AsyncTieredCache]
) -> None:
    async def main() -> None:
        flight = SingleFlight(lease="1h")
        async with shared(single_flight=flight) as cache, shared(single_flight=flight) as other:
            compute = Gated()
            async with anyio.create_task_group() as group:
                group.start_soon(cache.get_or_compute, "key", compute)
                await compute.began.wait()
                group.cancel_scope.cancel()
            assert await other.get_or_compute("key", anyio_value("other")) == "other"

    run(main)


@pytest.mark.proves("awaiting/abandoned-loop")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_an_abandoned_loop_locks_no_caller_out() -> None:
    cache = AsyncTieredCache([MemoryTier()])
    compute = Gated()
    loop = asyncio.new_event_loop()
    task = loop.create_task(cache.get_or_compute("key", compute))
    loop.run_until_complete(until(lambda: compute.calls > 0))
    loop.close()  # no clean-up as in asyncio.run(): the task will never continue
    assert cache.sync.get_or_compute("key", lambda: "of another") == "of another"
    side: Any = cache.sync._source.core().side
    homes = side._driver._homes
    asyncio.run(cache.get("other"))
    assert homes._homes == {}
    logging.getLogger("asyncio").disabled = True  # it complains of the task, and is right
    task.get_coro().close()
    del task, loop
    gc.collect()
    logging.getLogger("asyncio").disabled = False
    cache.sync.close()


@pytest.mark.proves("awaiting/cancelled-change")
def test_a_cancelled_change_is_made_nevertheless(run: Any, tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncTieredCache([MemoryTier(), DiskTier(tmp_path)]) as cache:
            stack = cache.sync._source.core().stack
            (stripe,) = stack.locks.of(["key"])
            assert stripe.lock.acquire(timeout=WAIT_S)
            async with anyio.create_task_group() as group:
                group.start_soon(cache.set, "key", "value")
                await until(lambda: bool(stripe.tasks))
                group.cancel_scope.cancel()
            stripe.release()
            await until(partial(has, cache, "value"))
            assert [each.present for each in await cache.explain("key")] == [True, True]

    run(main)


def test_changes_of_a_key_happen_one_after_the_other(run: Any, tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncTieredCache([MemoryTier(), DiskTier(tmp_path)]) as cache:
            sync = cache.sync
            async with anyio.create_task_group() as group:
                for number in range(50):
                    group.start_soon(cache.set, "key", number)
                    set_it: Any = partial(sync.set, "key", number)
                    group.start_soon(anyio.to_thread.run_sync, set_it)
            level, disk = sync._source.core().stack.levels
            value = await cache.get("key")
            level.tier.clear()
            assert await cache.get("key") == value
            del disk

    run(main)


@pytest.mark.proves("awaiting/shared-tiers")
def test_two_caches_of_a_process_hear_of_each_others_changes(
    run: Any, shared: Callable[..., AsyncTieredCache]
) -> None:
    async def main() -> None:
        async with shared() as cache, shared() as other:
            await cache.set("key", 1, tags={"t"})
            assert await other.get("key") == 1
            await cache.set("key", 2, tags={"t"})
            await until(partial(has, other, 2))
            await cache.invalidate_tags("t")
            await until(partial(has, other, None))

    run(main)


@pytest.mark.proves("awaiting/no-resurrection")
def test_law_4_a_deletion_is_not_undone_by_an_earlier_computation(
    run: Any, shared: Callable[..., AsyncTieredCache]
) -> None:
    async def main() -> None:
        async with shared() as cache:
            compute = Gated("old")
            async with anyio.create_task_group() as group:
                group.start_soon(cache.get_or_compute, "key", compute)
                await compute.began.wait()
                await cache.delete("key")
                compute.go.set()
            assert await cache.get("key") is None

    run(main)


def test_one_cache_of_each_face_in_one_program(tmp_path: Path) -> None:
    with TieredCache([MemoryTier(), DiskTier(tmp_path)]) as sync:
        cache = AsyncTieredCache.of(sync)
        assert asyncio.run(cache.get_or_compute("key", anyio_value(1))) == 1
        assert sync.get("key") == 1


def test_a_caller_cancelled_before_its_computation_leaves_nothing_behind(run: Any) -> None:
    async def main() -> None:
        async with AsyncTieredCache([MemoryTier()]) as cache:
            await cache.get("key")
            compute = Gated()
            for turns in range(8):
                async with anyio.create_task_group() as group:
                    group.start_soon(cache.get_or_compute, "key", compute)
                    for _ in range(turns):
                        await anyio.lowlevel.checkpoint()
                    group.cancel_scope.cancel()
                assert not under_way(cache)
            assert compute.calls == compute.cancelled

    run(main)


_FACTORIES: list[Any] = [None]
if sys.version_info >= (3, 12):
    _FACTORIES.append(asyncio.eager_task_factory)


@pytest.mark.parametrize("factory", _FACTORIES, ids=["default", "eager"][: len(_FACTORIES)])
def test_tasks_that_begin_at_once_are_served_as_well(factory: Any) -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(factory)
        async with AsyncTieredCache([MemoryTier()]) as cache:
            asked = [cache.get_or_compute(f"{n % 3}", anyio_value(n % 3)) for n in range(30)]
            assert await asyncio.gather(*asked) == [n % 3 for n in range(30)]
            asked = [cache.lookup(f"{n}") for n in range(30)]
            assert len(await asyncio.gather(*asked)) == 30

    asyncio.run(main())


@pytest.mark.proves("law-2/tasks")
@pytest.mark.exhaustive
@pytest.mark.timeout(900)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_law_2_200_tasks_beside_16_threads_compute_once_in_a_thousand_rounds(backend: str) -> None:
    rounds = 1000
    calls = [0] * rounds
    dice = random.Random(backend)

    async def main() -> None:
        async with AsyncTieredCache([MemoryTier()]) as cache:
            sync = cache.sync
            limit = anyio.CapacityLimiter(16)

            async def ask(turn: int) -> None:
                async def compute() -> int:
                    calls[turn] += 1
                    await random_turns(dice)
                    return turn

                await random_turns(dice)
                assert await cache.get_or_compute(f"{turn}", compute) == turn

            async def ask_in_thread(turn: int) -> None:
                def compute() -> int:
                    calls[turn] += 1
                    random_pause(dice, 0.004)
                    return turn

                asking = partial(sync.get_or_compute, f"{turn}", compute)
                assert await anyio.to_thread.run_sync(asking, limiter=limit) == turn

            for turn in range(rounds):
                async with anyio.create_task_group() as group:
                    for number in range(216):
                        group.start_soon(ask_in_thread if number % 14 == 0 else ask, turn)

    anyio.run(main, backend=backend)
    assert calls == [1] * rounds


@pytest.mark.proves("awaiting/abandoned-computation")
def test_a_caller_cancelled_while_it_asks_for_a_lease_releases_it(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease is granted after the cancellation, so its release must come later still."""
    asking, released, go = threading.Event(), threading.Event(), threading.Event()
    acquire, release = DiskLeases.acquire, DiskLeases.release

    def acquire_late(self: Any, key: str, owner: str, lifetime_s: float) -> Any:
        asking.set()
        assert go.wait(WAIT_S)
        return acquire(self, key, owner, lifetime_s)

    def release_it(self: Any, key: str, owner: str) -> None:
        release(self, key, owner)
        released.set()

    async def main() -> None:
        flight = SingleFlight(lease="1h")
        tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path)]
        async with AsyncTieredCache(tiers, single_flight=flight) as cache:
            await cache.get("key")
            monkeypatch.setattr(DiskLeases, "acquire", acquire_late)
            monkeypatch.setattr(DiskLeases, "release", release_it)
            scope = anyio.CancelScope()

            async def ask() -> None:
                with scope:
                    await cache.get_or_compute("key", anyio_value("lost"))

            async with anyio.create_task_group() as group:
                group.start_soon(ask)
                await anyio.to_thread.run_sync(asking.wait, WAIT_S)
                scope.cancel()
                with anyio.move_on_after(0.1):  # a chance to do it too early
                    await anyio.to_thread.run_sync(released.wait, 0.1)
                go.set()
            monkeypatch.undo()
            assert await cache.get_or_compute("key", anyio_value("next")) == "next"

    run(main)


class Restless:
    """Uses caches in all ways, and is cancelled at any time."""

    KEYS = tuple(f"{number}" for number in range(10))

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)

    async def compute(self) -> int:
        await random_turns(self._dice)
        return 1

    async def compute_many(self, asked: Any) -> dict[str, int]:
        return dict.fromkeys(asked, await self.compute())

    async def _use(self, cache: AsyncTieredCache) -> None:
        dice = self._dice
        key, ttl = dice.choice(self.KEYS), dice.random() * 0.02 + 0.001
        match dice.randrange(5):
            case 0:
                await cache.set(key, 2, ttl=ttl, tags={"t"})
            case 1:
                await cache.delete(key)
            case 2:
                await cache.get_many(dice.sample(self.KEYS, 3))
            case 3:
                some = dice.sample(self.KEYS, 4)
                await cache.get_or_compute_many(some, self.compute_many, ttl=ttl)
            case _:
                await cache.get_or_compute(key, self.compute, ttl=ttl)

    async def use_for_a_while(self, cache: AsyncTieredCache) -> None:
        with anyio.move_on_after(self._dice.random() * 0.01):
            await self._use(cache)


@pytest.mark.proves("awaiting/abandoned-computation")
@pytest.mark.parametrize(
    "rounds", [10, pytest.param(100, marks=pytest.mark.exhaustive)], ids=["short", "long"]
)
def test_law_2_cancelling_any_caller_at_any_time_leaves_nothing_behind(
    run: Any, shared: Callable[..., AsyncTieredCache], rounds: int
) -> None:
    """No flight, no renewed lease and no lock of a key stays without a caller."""
    user = Restless(rounds)

    async def main() -> None:
        async with shared() as cache, shared() as other:
            for _ in range(rounds):
                async with anyio.create_task_group() as group:
                    for _ in range(15):
                        group.start_soon(user.use_for_a_while, cache)
                        group.start_soon(user.use_for_a_while, other)
            for each in (cache, other):
                # A computation of a key that was changed meanwhile leads no flight any more, and continues.
                await until(partial(nothing_is_held, each))
                await each.delete_many(user.KEYS)
                found = await each.get_or_compute_many(user.KEYS, user.compute_many)
                assert set(found) == set(user.KEYS)

    run(main)
