"""The event loop's thread never waits for a tier, a lock or a journal.

Times say little on a busy machine, so these tests use no clock. They record the thread of each call, and
check that a task of the loop can still release a lock or a computation that another task waits for.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from tests.waiting import until
from tiered_cache import AsyncTieredCache, DiskTier, MemoryTier, RedisTier, current
from tiered_cache._engine.drivers.loop_home import TIER_THREADS, WAITING_THREADS
from tiered_cache._engine.state.key_locks import Stripe
from tiered_cache._engine.state.write_queue import WriteQueue
from tiered_cache._engine.workers.change_follower import ChangeFollower
from tiered_cache.journal import DiskJournal
from tiered_cache.policies import WriteBack
from tiered_cache.testing import FakeClock, ValkeyServer
from tiered_cache.tiers.disk._change_log import DiskLog
from tiered_cache.tiers.disk._leases import DiskLeases
from tiered_cache.tiers.disk._places import DiskPlaces
from tiered_cache.tiers.redis._async_server import AsyncServerConnections
from tiered_cache.tiers.redis._resp import pack_commands
from tiered_cache.tiers.redis._server_connections import ServerConnections

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tiered_cache.contracts import Tier
    from tiered_cache.testing import ChaosProxy

WAIT_S = 30

_DISK = "open get get_many put put_many delete delete_many clear scan info close"
_WAITING: dict[type, str] = {
    DiskTier: _DISK,
    DiskJournal: "write forget park entries take_parked drop_parked clear adopt close",
    DiskLeases: "acquire renew release wait close",
    DiskLog: "read wait",
    DiskPlaces: "place_in begin_place set_place",
    ServerConnections: "exchange",
    ChangeFollower: "_catch_up",
    WriteQueue: "wait_for_room wait_until_written drain sleep",
}
"""Everything that may wait, in a synchronous way."""


class Witness:
    """Records the thread of every call that may wait."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: set[tuple[str, int]] = set()
        for kind, names in _WAITING.items():
            for name in names.split():
                monkeypatch.setattr(kind, name, self._noting(kind, name))
        noted = self

        class Lock:
            def __init__(self) -> None:
                self.lock = threading.Lock()
                self.release = self.lock.release

            def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
                if blocking:
                    noted.calls.add(("a lock", threading.get_ident()))
                return self.lock.acquire(blocking, timeout)

        make = Stripe.__init__

        def init(stripe: Any) -> None:
            make(stripe)
            stripe.lock = Lock()

        monkeypatch.setattr(Stripe, "__init__", init)

    def _noting(self, kind: type, name: str) -> Any:
        function = getattr(kind, name)

        @functools.wraps(function)
        def noting(*args: Any, **options: Any) -> Any:
            self.calls.add((f"{kind.__name__}.{name}", threading.get_ident()))
            return function(*args, **options)

        return noting

    def names(self, thread: int | None = None) -> set[str]:
        """The names of the recorded calls, in one thread or in any."""
        return {name for name, each in self.calls if thread in (None, each)}


async def use_everything(cache: AsyncTieredCache) -> None:
    async def compute() -> str:
        await anyio.lowlevel.checkpoint()
        current().add_tags({"by itself"})
        return "value"

    async def compute_many(keys: Any) -> dict[str, str]:
        await anyio.lowlevel.checkpoint()
        return {key: key for key in keys}

    def forget_memory() -> None:
        cache.sync._source.core().stack.levels[0].tier.clear()

    async with cache:
        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(cache.get_or_compute, f"{number % 5}", compute, "1h", ("t",))
        await cache.set("key", 1, tags={"t"})
        await cache.set_many({"a": 1, "b": 2})
        forget_memory()
        async with anyio.create_task_group() as group:
            for key in ("key", "a", "b", "none"):
                group.start_soon(cache.get, key)
                group.start_soon(cache.lookup, key)
        forget_memory()
        await cache.get_many(["key", "a", "none"])
        await cache.get_or_compute_many(["a", "x", "y"], compute_many)
        await cache.touch("key", "2h")
        await cache.exists("key")
        await cache.explain("key")
        assert [key async for key in cache.keys()]  # noqa: SIM118 - it is no dictionary
        await cache.invalidate_tags("t")
        await cache.get("key")
        await cache.delete("a")
        await cache.delete_many(["b", "x"])
        await cache.invalidate_prefix("y")
        await cache.journal()
        await cache.retry_parked()
        await cache.drop_parked()
        await cache.stats()
        await cache.clear()
        await cache.flush()


@pytest.mark.proves("awaiting/no-blocking")
@pytest.mark.parametrize("writing", ["through", "back"])
def test_law_12_nothing_that_may_wait_is_called_by_the_loop(
    run: Any,
    writing: str,
    tmp_path: Path,
    redis_url: str,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    witness = Witness(monkeypatch)
    tiers: list[Tier[Any]] = [
        MemoryTier(),
        DiskTier(tmp_path, timeout="20s"),
        RedisTier(redis_url, timeout="20s"),
    ]
    policy = WriteBack("disk", flush_interval="1ms") if writing == "back" else None

    async def main() -> int:
        await use_everything(AsyncTieredCache(tiers, namespace=namespace, writing=policy))
        return threading.get_ident()

    loop_thread = run(main)
    assert witness.names(loop_thread) == set()
    expected = {"DiskTier.get_many", "DiskTier.put", "DiskTier.clear", "DiskTier.info"}
    expected |= {
        "DiskTier.close",
        "ServerConnections.exchange",
        "ChangeFollower._catch_up",
        "DiskTier.scan",
    }
    if writing == "back":
        expected |= {"DiskJournal.write", "DiskJournal.entries"}
    assert expected <= witness.names()


@pytest.mark.proves("awaiting/no-blocking")
def test_the_witness_sees_waiting_callers(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness = Witness(monkeypatch)

    async def main() -> int:
        async with AsyncTieredCache([MemoryTier(), DiskTier(tmp_path)]) as cache:
            cache.sync.set("key", 1)  # a mistake in a loop
        return threading.get_ident()

    assert {"a lock", "DiskTier.put"} <= witness.names(run(main))


@pytest.mark.proves("awaiting/redis")
def test_redis_is_awaited_under_asyncio_and_asked_in_threads_under_trio(
    redis_url: str, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchanged: list[str] = []
    for kind in (ServerConnections, AsyncServerConnections):
        exchange = kind.exchange

        def noting(
            self: Any, commands: Any, extra_s: float = 0.0, *, by: Any = (kind, exchange)
        ) -> Any:
            first = b"".join(pack_commands(commands[:1])).split(b"\r\n")[2].decode()
            exchanged.append(f"{by[0].__name__} {first}")
            return by[1](self, commands, extra_s)

        monkeypatch.setattr(kind, "exchange", noting)

    async def main() -> None:
        tiers: list[Tier[Any]] = [RedisTier(redis_url, timeout="20s")]
        async with AsyncTieredCache(tiers, namespace=namespace) as cache:
            await cache.set("key", 1)
            assert await cache.get("key") == 1

    anyio.run(main)
    assert "AsyncServerConnections GETRANGE" in exchanged
    assert "ServerConnections GETRANGE" not in exchanged
    exchanged.clear()
    anyio.run(main, backend="trio")
    assert "ServerConnections GETRANGE" in exchanged
    assert not any(each.startswith("AsyncServerConnections") for each in exchanged)


@contextlib.asynccontextmanager
async def with_disk(tmp_path: Path, **options: Any) -> AsyncIterator[AsyncTieredCache]:
    tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path, timeout="60s")]
    async with AsyncTieredCache(tiers, **options) as cache:
        yield cache


@pytest.mark.proves("awaiting/loop-goes-on")
def test_law_12_a_locked_database_is_unlocked_by_a_task_of_the_same_loop(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the loop waited for the database, nothing would unlock it, and the write would fail."""
    entered: list[str] = []
    put = DiskTier.put

    def noting(tier: DiskTier, key: str, *args: Any, **options: Any) -> bool:
        entered.append(key)
        return put(tier, key, *args, **options)

    async def main() -> None:
        async with with_disk(tmp_path) as cache:
            await cache.set("key", 1)
            locker = sqlite3.connect(tmp_path / "default" / "cache.db", isolation_level=None)
            locker.execute("BEGIN EXCLUSIVE")
            monkeypatch.setattr(DiskTier, "put", noting)
            results: list[bool] = []

            async def write() -> None:
                results.append(bool(await cache.set("key", 2)))

            async with anyio.create_task_group() as group:
                group.start_soon(write)
                await until(lambda: bool(entered))
                assert results == []
                assert await cache.get("key") == 1  # memory is not waited for either
                locker.execute("ROLLBACK")
            locker.close()
            assert results == [True]

    run(main)


@pytest.mark.proves("awaiting/loop-goes-on")
def test_law_12_a_lock_of_a_key_is_released_by_a_task_of_the_same_loop(
    run: Any, tmp_path: Path
) -> None:
    async def main() -> None:
        async with with_disk(tmp_path) as cache:
            (stripe,) = cache.sync._source.core().stack.locks.of(["key"])
            assert stripe.lock.acquire(timeout=WAIT_S)
            order: list[str] = []

            async def write(value: int) -> None:
                await cache.set("key", value)
                order.append("written")

            async with anyio.create_task_group() as group:
                for number in range(10):
                    group.start_soon(write, number)
                await until(lambda: len(stripe.tasks) >= 10)
                with anyio.move_on_after(0.001):
                    await cache.set("key", "of a cancelled task")
                order.append("released")
                stripe.release()
            assert order == ["released", *["written"] * 10]

    run(main)


@pytest.mark.proves("awaiting/deadlines")
def test_a_change_goes_ahead_without_a_lock_that_it_can_not_have(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiered_cache._engine.drivers.asynchronous.LOCK_WAIT_S", 0.01)

    async def main() -> None:
        async with with_disk(tmp_path) as cache:
            (stripe,) = cache.sync._source.core().stack.locks.of(["key"])
            assert stripe.lock.acquire(timeout=WAIT_S)
            assert await cache.set("key", 1)
            stripe.release()
            assert not stripe.tasks

    run(main)


@pytest.mark.proves("awaiting/loop-goes-on")
def test_law_12_a_frozen_server_is_woken_by_a_task_of_the_same_loop(
    run: Any, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    for pool, name in ((AsyncServerConnections, "_exchange_on"), (ServerConnections, "exchange")):
        exchange = getattr(pool, name)

        def noting(self: Any, *args: Any, exchange: Any = exchange, **options: Any) -> Any:
            asked.append(repr(args))
            return exchange(self, *args, **options)

        monkeypatch.setattr(pool, name, noting)

    async def main(server: ValkeyServer) -> None:
        tiers: list[Tier[Any]] = [MemoryTier(), RedisTier(server.url, timeout="60s")]
        async with AsyncTieredCache(tiers, namespace=namespace) as cache:
            await cache.set("the-key", 1)
            level = cache.sync._source.core().stack.levels[0]
            level.tier.clear()
            asked.clear()
            results: list[Any] = []

            async def read() -> None:
                results.append(await cache.get("the-key"))

            server.freeze()
            async with anyio.create_task_group() as group:
                group.start_soon(read)
                await until(lambda: any("the-key" in each for each in asked))
                for _ in range(100):
                    await anyio.lowlevel.checkpoint()
                assert results == []
                server.thaw()
            assert results == [1]

    with ValkeyServer() as server:
        run(lambda: main(server))


@pytest.mark.proves("awaiting/deadlines")
def test_law_8_a_frozen_server_is_given_up_in_time(run: Any, namespace: str) -> None:
    async def main(server: ValkeyServer) -> None:
        tiers: list[Tier[Any]] = [MemoryTier(), RedisTier(server.url, timeout="100ms")]
        async with AsyncTieredCache(tiers, namespace=namespace) as cache:
            await cache.set("key", 1)
            server.freeze()
            cache.sync._source.core().stack.levels[0].tier.clear()
            assert await cache.get("key", "none") == "none"
            server.thaw()

    with ValkeyServer() as server:
        run(lambda: main(server))


@pytest.mark.proves("awaiting/threads-bounded")
def test_law_10_no_more_threads_than_it_says_are_in_a_tier(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = most = 0
    counting = threading.Lock()
    together = threading.Event()
    delete = DiskTier.delete

    def counted(self: Any, key: str) -> bool:
        nonlocal inside, most
        with counting:
            inside += 1
            most = max(most, inside)
            if inside > 1:
                together.set()
        try:
            together.wait(WAIT_S)
            return delete(self, key)
        finally:
            with counting:
                inside -= 1

    monkeypatch.setattr(DiskTier, "delete", counted)

    async def main() -> None:
        async with with_disk(tmp_path) as cache, anyio.create_task_group() as group:
            for number in range(300):
                group.start_soon(cache.delete, f"{number}")

    run(main)
    assert 1 < most <= TIER_THREADS


@pytest.mark.proves("awaiting/busy-loop")
def test_a_loop_that_was_kept_busy_does_not_take_the_server_for_sick(
    redis_url: str, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reply arrives while the loop computes: it is read before the time counts as over."""
    deadline_s = 0.5
    asked = AsyncServerConnections._exchange_on

    async def busy(self: Any, connection: Any, pieces: Any, count: int) -> Any:
        asyncio.get_running_loop().call_soon(time.sleep, 2 * deadline_s)
        return await asked(self, connection, pieces, count)

    async def main() -> None:
        tiers: list[Tier[Any]] = [RedisTier(redis_url, timeout=deadline_s)]
        async with AsyncTieredCache(tiers, namespace=namespace) as cache:
            await cache.set("key", 1)
            monkeypatch.setattr(AsyncServerConnections, "_exchange_on", busy)
            assert await cache.get("key") == 1
            monkeypatch.undo()

    asyncio.run(main())


@pytest.mark.proves("awaiting/busy-loop")
def test_tasks_wait_for_a_connection_as_long_as_others_are_answered(
    chaos_proxy: Callable[[str], ChaosProxy], redis_url: str, namespace: str
) -> None:
    """Many tasks are no fault of the server: none of their writes is lost for it."""
    deadline_s = 0.5
    proxy = chaos_proxy(redis_url)

    async def main() -> None:
        tiers: list[Tier[Any]] = [RedisTier(proxy.url, timeout=deadline_s, max_connections=1)]
        async with AsyncTieredCache(tiers, namespace=namespace) as cache:
            await cache.get("key")
            proxy.delay(deadline_s / 4)
            began_s = time.monotonic()
            written = await asyncio.gather(*[cache.set(f"{number}", 1) for number in range(12)])
            assert time.monotonic() - began_s > deadline_s, "the last one waits longer than that"
            proxy.forward()
            assert all(written)

    asyncio.run(main())


@pytest.mark.proves("awaiting/deadlines")
def test_law_8_no_call_waits_for_a_connection_to_a_frozen_server(namespace: str) -> None:
    async def main(server: ValkeyServer) -> None:
        tiers: list[Tier[Any]] = [RedisTier(server.url, timeout="100ms", max_connections=1)]
        async with AsyncTieredCache(tiers, namespace=namespace) as cache:
            await cache.get("key")
            server.freeze()
            written = await asyncio.gather(*[cache.set(f"{number}", 1) for number in range(12)])
            assert not any(written)
            server.thaw()

    with ValkeyServer() as server:
        asyncio.run(main(server))


@pytest.mark.proves("awaiting/threads-bounded")
def test_law_10_abandoned_calls_still_occupy_their_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside: set[int] = set()
    full, go = threading.Event(), threading.Event()
    get_many = DiskTier.get_many

    def stuck(self: Any, keys: Any) -> Any:
        inside.add(threading.get_ident())
        if len(inside) == TIER_THREADS:
            full.set()
        assert go.wait(WAIT_S)
        return get_many(self, keys)

    async def main() -> None:
        async with with_disk(tmp_path) as cache:
            await cache.get("key")
            monkeypatch.setattr(DiskTier, "get_many", stuck)
            for _ in range(3):
                tasks = [asyncio.create_task(cache.get_many(["a", "b"])) for _ in range(40)]
                await anyio.to_thread.run_sync(full.wait, WAIT_S)
                for task in tasks:
                    task.cancel()
                done, _ = await asyncio.wait(tasks)
                assert all(task.cancelled() for task in done), "they go away at once"
            assert len(inside) == TIER_THREADS, "none of them has come out yet"
            go.set()
            assert await cache.get_many(["a"]) == {}

    asyncio.run(main())


@pytest.mark.proves("awaiting/threads-bounded")
def test_long_waiters_do_not_keep_lookups_from_the_logs(
    run: Any, tmp_path: Path, clock: FakeClock
) -> None:
    """A lookup in a doubted tier reads its log first, in a thread reserved for that."""

    async def main() -> None:
        async with with_disk(tmp_path, clock=clock) as cache:
            await cache.set("key", 1)
            core, side = cache.sync._source.core(), await cache._side()
            begun, go = threading.Semaphore(0), threading.Event()

            def wait_long() -> None:
                begun.release()
                assert go.wait(WAIT_S)

            async with anyio.create_task_group() as group:
                for _ in range(2 * WAITING_THREADS):
                    group.start_soon(side.in_thread, wait_long)
                for _ in range(WAITING_THREADS):
                    assert await anyio.to_thread.run_sync(begun.acquire, True, WAIT_S)
                clock.advance(60)
                assert core.stack.logs.doubted()
                assert await cache.get("key") == 1
                assert not core.stack.logs.doubted()
                go.set()

    run(main)
