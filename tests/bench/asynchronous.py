"""The asynchronous face: hits in memory and in Redis, misses, and the longest step of the loop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redis.asyncio

from tests.bench.report import print_ratios
from tests.bench.timing import measure
from tiered_cache import AsyncTieredCache, DiskTier, MemoryTier, RedisTier
from tiered_cache.testing import ValkeyServer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["bench_async"]

KEYS = [f"key {number}" for number in range(1000)]
VALUE = "v" * 100
GATHERED_LIMIT = 0.2
"""Five times the throughput."""

STEP_LIMIT_S = 0.005
WATCHED_S = 1.0


def bench_async() -> list[str]:
    """The cost of awaiting."""
    with asyncio.Runner() as runner:
        return _bench_memory(runner) + _bench_redis(runner) + _bench_steps(runner)


def _per_key(runner: asyncio.Runner, work: Callable[[], Awaitable[object]]) -> Callable[[], float]:
    async def timed() -> float:
        started = time.perf_counter()
        await work()
        return (time.perf_counter() - started) / len(KEYS)

    return lambda: runner.run(timed())


def _bench_memory(runner: asyncio.Runner) -> list[str]:
    cache = AsyncTieredCache([MemoryTier(2 * len(KEYS))])
    sync = cache.sync
    sync.set_many(dict.fromkeys(KEYS, VALUE))
    held = dict.fromkeys(KEYS, VALUE)

    async def compute() -> str:
        return VALUE

    async def of_dictionary(key: str) -> str:
        return held[key]

    async def miss(key: str) -> None:
        await cache.get_or_compute(f"{key}!", compute)
        sync.delete(f"{key}!")

    async def sync_miss(key: str) -> None:
        sync.get_or_compute(f"{key}!", lambda: VALUE)
        sync.delete(f"{key}!")

    def each(call: Callable[[str], Awaitable[object]]) -> Callable[[], float]:
        async def work() -> None:
            for key in KEYS:
                await call(key)

        return _per_key(runner, work)

    base = "a coroutine that looks into a dictionary"
    measured = measure(
        {
            base: each(of_dictionary),
            "get": each(cache.get),
            "get_or_compute": each(lambda key: cache.get_or_compute(key, compute)),
            "synchronous: a miss and a deletion": each(sync_miss),
            "a miss and a deletion": each(miss),
        }
    )
    sync.close()
    return print_ratios("Awaited, in memory", measured, base, {})


def _bench_redis(runner: asyncio.Runner) -> list[str]:
    with ValkeyServer() as server:
        cache = AsyncTieredCache([MemoryTier(), RedisTier(server.url, timeout="10s")])
        pool = redis.asyncio.BlockingConnectionPool.from_url(server.url, max_connections=32)
        client = redis.asyncio.Redis.from_pool(pool)

        def forget_memory() -> None:
            cache.sync._source.core().stack.levels[0].tier.clear()

        async def fill() -> None:
            await cache.set_many(dict.fromkeys(KEYS, VALUE))
            for key in KEYS:
                await client.set(key, VALUE)

        async def ours() -> None:
            await asyncio.gather(*[cache.get(key) for key in KEYS])

        async def ours_at_once() -> None:
            await cache.get_many(KEYS)

        async def gathered() -> None:
            await asyncio.gather(*[client.get(key) for key in KEYS])

        async def in_turn() -> None:
            for key in KEYS:
                await client.get(key)

        runner.run(fill())
        base = "redis.asyncio: 1,000 GETs together, 32 connections"
        subjects = {
            base: gathered,
            "redis.asyncio: 1,000 GETs in turn": in_turn,
            "1,000 gets together, found in Redis": ours,
            "get_many of 1,000, found in Redis": ours_at_once,
        }
        measured = measure(
            {name: _per_key(runner, each) for name, each in subjects.items()},
            before=forget_memory,
        )
        runner.run(client.aclose())
        runner.run(cache.close())
    return print_ratios(
        "1,000 awaited hits in Redis", measured, base, {list(subjects)[2]: GATHERED_LIMIT}
    )


def _bench_steps(runner: asyncio.Runner) -> list[str]:
    """The longest step of a task, during which the loop runs no other task.

    Judged by the CPU time of the loop's thread: on a busy machine a thread waits for
    its turn. That it waits for nothing of ours is for `test_async_waiting.py` to prove.
    """
    steps = {
        "a locked disk": runner.run(_with_locked_disk()),
        "a frozen server": runner.run(_with_frozen_server()),
    }
    print(f"\nThe longest step of a task   (promised under {STEP_LIMIT_S * 1e3:g} ms of work)")
    missed = []
    for name, (worked_s, passed_s) in steps.items():
        verdict = "held" if worked_s < STEP_LIMIT_S else "MISSED"
        work = f"{worked_s * 1e3:9.2f} ms of work: {verdict}"
        print(f"  {name:44} {work}; {passed_s * 1e3:.2f} ms by the clock")
        if verdict == "MISSED":
            missed.append(f"Steps of tasks: {name} {worked_s * 1e3:.1f} ms")
    return missed


async def _longest_step(work: Awaitable[None]) -> tuple[float, float]:
    """The longest step of any task beside `work`, in CPU time of the thread and by the clock."""
    longest_s = [0.0, 0.0]
    run = asyncio.events.Handle._run

    def timed(handle: asyncio.events.Handle) -> None:
        worked_s, passed_s = time.thread_time(), time.perf_counter()
        run(handle)
        longest_s[0] = max(longest_s[0], time.thread_time() - worked_s)
        longest_s[1] = max(longest_s[1], time.perf_counter() - passed_s)

    # Garbage collection is not part of a step: its time depends on all objects of the program.
    gc.collect()
    gc.disable()
    asyncio.events.Handle._run = timed  # type: ignore[method-assign,assignment] # each step is one
    try:
        await work
    finally:
        gc.enable()
        asyncio.events.Handle._run = run  # type: ignore[method-assign] # as it was
    return longest_s[0], longest_s[1]


async def _ask_for(cache: AsyncTieredCache, seconds: float) -> None:
    """Reads, computations and writes of a few tasks, for a while."""
    ends = time.monotonic() + seconds

    async def compute() -> str:
        await asyncio.sleep(0)
        return VALUE

    async def ask(number: int) -> None:
        while time.monotonic() < ends:
            await cache.get(f"{number}")
            await cache.get_or_compute(f"computed {number}", compute)
            await cache.set(f"{number}", VALUE)
            await cache.delete(f"computed {number}")

    await asyncio.gather(*[ask(number) for number in range(10)])


async def _with_locked_disk() -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncTieredCache([MemoryTier(), DiskTier(folder, timeout="200ms")]) as cache:
            await cache.set("key", VALUE)
            with contextlib.closing(
                sqlite3.connect(Path(folder) / "default" / "cache.db", isolation_level=None)
            ) as locker:
                locker.execute("BEGIN EXCLUSIVE")
                steps = await _longest_step(_ask_for(cache, WATCHED_S))
                locker.execute("ROLLBACK")
            return steps


async def _with_frozen_server() -> tuple[float, float]:
    with ValkeyServer() as server:
        tiers: list[Any] = [MemoryTier(), RedisTier(server.url, timeout="200ms")]
        async with AsyncTieredCache(tiers, probe_interval="10ms") as cache:
            await cache.set("key", VALUE)
            server.freeze()
            steps = await _longest_step(_ask_for(cache, WATCHED_S))
            server.thaw()
            return steps
