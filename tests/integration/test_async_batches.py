"""Tasks that ask a tier in one turn of the event loop share one batch."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import redis

from tests.patience import patient_redis
from tiered_cache import AsyncTieredCache, DiskTier, MemoryTier, RedisTier, TierUnavailableError
from tiered_cache.testing import FakeClock, ValkeyServer
from tiered_cache.tiers.redis._async_server import AsyncServerConnections
from tiered_cache.tiers.redis._resp import pack_commands
from tiered_cache.tiers.redis._server_connections import ServerConnections

if TYPE_CHECKING:
    from tiered_cache.contracts import Tier

KEYS = [f"key {number}" for number in range(1000)]


@pytest.fixture
def exchanges(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sizes of the round trips of lookups, recognised by their first commands."""
    made: list[str] = []
    for kind in (ServerConnections, AsyncServerConnections):
        exchange = kind.exchange

        def noting(self: Any, commands: Any, extra_s: float = 0.0, *, do: Any = exchange) -> Any:
            if b"GETRANGE" in b"".join(pack_commands(commands[:1])):
                made.append(str(len(commands) // 2))
            return do(self, commands, extra_s)

        monkeypatch.setattr(kind, "exchange", noting)
    return made


async def get_all(cache: AsyncTieredCache, keys: list[str]) -> list[Any]:
    results: list[Any] = [None] * len(keys)

    async def get(place: int) -> None:
        results[place] = await cache.get(keys[place])

    async with anyio.create_task_group() as group:
        for place in range(len(keys)):
            group.start_soon(get, place)
    return results


def levels(cache: AsyncTieredCache) -> Any:
    return cache.sync._source.core().stack.levels


def reads_of(client: redis.Redis) -> int:
    """The number of records that the server has read so far."""
    found: dict[str, Any] = client.info("commandstats").get("cmdstat_getrange", {"calls": 0})
    return int(found["calls"])


@pytest.mark.proves("awaiting/batches")
@pytest.mark.parametrize("with_disk", [False, True])
def test_a_thousand_hits_take_ten_round_trips_at_most(
    run: Any,
    exchanges: list[str],
    redis_url: str,
    namespace: str,
    tmp_path: Path,
    with_disk: bool,
) -> None:
    async def main() -> None:
        tiers: list[Tier[Any]] = [MemoryTier(), RedisTier(redis_url, timeout="30s")]
        if with_disk:
            tiers.insert(1, DiskTier(tmp_path, timeout="30s"))
        async with AsyncTieredCache(tiers, namespace=namespace) as cache:
            await cache.set_many({key: key for key in KEYS})
            for level in levels(cache)[:-1]:
                level.tier.clear()
            exchanges.clear()
            client = redis.Redis.from_url(redis_url)
            before = reads_of(client)
            assert await get_all(cache, KEYS) == KEYS
            after = reads_of(client)
            client.close()
            assert len(exchanges) <= 10
            # A promotion into the disk tier compares tokens on disk, and reads nothing from Redis.
            assert after - before == len(KEYS)
            stats = await cache.stats()
            assert [tier.hits for tier in stats.tiers][-1] == len(KEYS)
            assert [tier.promotions for tier in stats.tiers][:-1] == [len(KEYS)] * (len(tiers) - 1)
            exchanges.clear()
            assert await get_all(cache, KEYS) == KEYS
            assert exchanges == []

    run(main)


@pytest.mark.proves("awaiting/every-lookup-batched")
def test_every_kind_of_lookup_is_gathered(
    run: Any, exchanges: list[str], redis_url: str, namespace: str
) -> None:
    async def compute() -> str:
        raise AssertionError("it is there")

    async def main() -> None:
        tiers: list[Tier[Any]] = [MemoryTier(), RedisTier(redis_url, timeout="30s")]
        # The clock stands still, so memory stays trusted: no reader catches up during a burst.
        async with AsyncTieredCache(tiers, namespace=namespace, clock=FakeClock()) as cache:
            await cache.set_many({key: key for key in KEYS[:60]})
            for ask in (
                lambda key: cache.get_or_compute(key, compute),
                cache.lookup,
                cache.exists,
                cache.namespace("view").get,
            ):
                levels(cache)[0].tier.clear()
                exchanges.clear()
                async with anyio.create_task_group() as group:
                    for key in KEYS[:60]:
                        group.start_soon(ask, key)
                assert exchanges == ["60"]

    run(main)


@pytest.mark.proves("awaiting/every-lookup-batched")
def test_law_11_each_of_several_lookups_of_a_key_counts(
    run: Any, exchanges: list[str], redis_url: str, namespace: str
) -> None:
    async def main() -> None:
        tiers: list[Tier[Any]] = [RedisTier(redis_url, timeout="30s")]
        async with AsyncTieredCache(tiers, namespace=namespace) as cache:
            await cache.set("key", 1)
            exchanges.clear()
            assert await get_all(cache, ["key"] * 50 + ["none"] * 50) == [1] * 50 + [None] * 50
            assert len(exchanges) <= 2
            stats = await cache.stats()
            assert (stats.hits, stats.misses) == (50, 50)
            assert (stats.tiers[0].hits, stats.tiers[0].misses) == (50, 50)

    run(main)


@pytest.mark.proves("awaiting/cancelled-caller")
def test_cancelling_one_of_a_batch_leaves_the_others_alone(
    run: Any, redis_url: str, namespace: str
) -> None:
    async def main() -> None:
        tiers: list[Tier[Any]] = [MemoryTier(), RedisTier(redis_url, timeout="30s")]
        async with AsyncTieredCache(tiers, namespace=namespace) as cache:
            await cache.set_many({key: key for key in KEYS[:10]})
            levels(cache)[0].tier.clear()
            results: dict[str, Any] = {}
            scopes = {key: anyio.CancelScope() for key in KEYS[:10]}

            async def get(key: str) -> None:
                with scopes[key]:
                    results[key] = await cache.get(key)

            async with anyio.create_task_group() as group:
                for key in KEYS[:10]:
                    group.start_soon(get, key)
                await anyio.lowlevel.checkpoint()
                for key in KEYS[:5]:
                    scopes[key].cancel()
            assert all(results[key] == key for key in KEYS[5:10])

    run(main)


def test_one_bad_record_does_not_keep_a_batch_from_being_read(
    run: Any, redis_url: str, namespace: str
) -> None:
    async def main() -> None:
        tiers: list[Tier[Any]] = [RedisTier(redis_url, timeout="30s")]
        async with AsyncTieredCache(tiers, namespace=namespace) as cache:
            await cache.set_many({key: key for key in KEYS[:10]})
            client = redis.Redis.from_url(redis_url)
            client.set(f"tiered-cache:{{{namespace}}}:{KEYS[0]}", b"no record")
            client.delete(f"tiered-cache:{{{namespace}}}:{KEYS[1]}")
            client.lpush(f"tiered-cache:{{{namespace}}}:{KEYS[1]}", "a list")
            assert await get_all(cache, KEYS[:10]) == [None, None, *KEYS[2:10]]
            client.close()

    run(main)


def test_a_restarted_server_is_reached_again(run: Any, namespace: str) -> None:
    async def main(server: ValkeyServer) -> None:
        tiers: list[Tier[Any]] = [MemoryTier(), RedisTier(server.url, timeout="30s")]
        async with AsyncTieredCache(tiers, namespace=namespace) as cache:
            await cache.set("key", 1)
            server.kill()
            levels(cache)[0].tier.clear()
            assert await cache.get("key") is None
            server.restart()
            assert await cache.set("key", 2)
            assert await cache.get("key") == 2

    with ValkeyServer() as server:
        run(lambda: main(server))


def test_strict_faults_reach_every_task_of_a_batch(run: Any, namespace: str) -> None:
    async def main(server: ValkeyServer) -> None:
        tiers: list[Tier[Any]] = [MemoryTier(), patient_redis(server.url)]
        async with AsyncTieredCache(tiers, namespace=namespace, strict=True) as cache:
            await cache.get("key")
            server.stop()
            raised: list[str] = []

            async def get(key: str) -> None:
                try:
                    await cache.get(key)
                except TierUnavailableError:
                    raised.append(key)

            async with anyio.create_task_group() as group:
                for key in KEYS[:10]:
                    group.start_soon(get, key)
            assert sorted(raised) == sorted(KEYS[:10])

    with ValkeyServer() as server:
        run(lambda: main(server))


@pytest.mark.proves("awaiting/connections")
def test_connections_end_with_their_loops(redis_url: str, namespace: str) -> None:
    cache = AsyncTieredCache([RedisTier(redis_url, timeout="30s")], namespace=namespace)

    async def main() -> int:
        async with anyio.create_task_group() as group:
            for number in range(10):
                group.start_soon(cache.set, f"{number}", number)
        return _descriptors()

    # The first use also makes a connection for threads, which stays open.
    anyio.run(main)
    before = _descriptors()
    for _ in range(3):
        assert anyio.run(main) > before
    assert _descriptors() == before
    cache.sync.close()


def _descriptors() -> int:
    gc.collect()  # caches of other tests may hold descriptors, in reference cycles
    return len(list(Path("/proc/self/fd").iterdir()))
