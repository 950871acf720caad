"""Redis down, frozen or answering garbage: at the start, later, and after its return."""

from __future__ import annotations

import asyncio
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import redis
import redis.exceptions

from tests.patience import patient_redis
from tiered_cache import (
    AsyncTieredCache,
    ConfigurationError,
    DiskTier,
    Event,
    EventKind,
    LookupStatus,
    MemoryTier,
    RedisTier,
    TieredCache,
    TierTimeoutError,
    TierUnavailableError,
    WriteOutcome,
)
from tiered_cache.testing import ChaosProxy, FakeClock, ValkeyServer
from tiered_cache.testing.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tiered_cache.contracts import Tier
    from tiered_cache.stats.snapshot.cache_stats import TierStats

DEADLINE_S = 0.5
PATIENT_S = 20.0
START_SERVER = "start a server there, correct the URL (redis_url) or use another backend"
CHECK_LOGIN = "check the user, password and database in the URL (redis_url)"
GENEROUS_S = 30.0
"""Far above the deadline, for a busy machine, and far below the minute of redis-py alone."""


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    with ValkeyServer(port=0) as started:
        yield started


def stack(
    url: str, clock: FakeClock, namespace: str = "faults", deadline_s: float = PATIENT_S
) -> TieredCache:
    return TieredCache(
        [MemoryTier(), RedisTier(url, timeout=deadline_s, connect_timeout=deadline_s)],
        namespace=namespace,
        clock=clock,
        failures_to_open=3,
        probe_interval="10s",
    )


def give(cache: TieredCache, deadline_s: float) -> None:
    """Set the deadline of Redis: long while it is healthy, because the machine may be busy."""
    wire = cache._source.core().stack.levels[1].tier._connections  # type: ignore[attr-defined] # a RedisTier's
    wire.timeout_s = wire.connect_timeout_s = deadline_s


def redis_stats(cache: TieredCache) -> TierStats:
    return cache.stats().tier("redis")


def use(cache: TieredCache, prefix: str, times: int = 10) -> None:
    for number in range(times):
        key = f"{prefix}-{number}"
        assert cache.get_or_compute(key, lambda: "computed") == "computed"
        assert cache.get(key) == "computed"


SICKNESSES: list[Callable[[ChaosProxy], None]] = [
    ChaosProxy.refuse,
    ChaosProxy.blackhole,
    ChaosProxy.garbage,
    lambda proxy: proxy.dribble(0.2),
    lambda proxy: proxy.cut(3),
    lambda proxy: proxy.delay(2.0),
]
NAMES = ["refuse", "blackhole", "garbage", "dribble", "cut", "delay"]


@pytest.mark.proves("law-1/server-faults", "law-8/redis-deadline")
@pytest.mark.parametrize("sicken", SICKNESSES, ids=NAMES)
def test_law_8_each_call_keeps_its_deadline_with_a_sick_server(
    sicken: Callable[[ChaosProxy], None],
    valkey: ValkeyServer,
    chaos_proxy: Callable[[str], ChaosProxy],
    clock: FakeClock,
    namespace: str,
) -> None:
    proxy = chaos_proxy(valkey.url)
    with stack(proxy.url, clock, namespace) as cache:
        use(cache, "before")
        assert redis_stats(cache).errors == 0
        give(cache, DEADLINE_S)
        sicken(proxy)
        started = time.monotonic()
        use(cache, "sick")
        assert time.monotonic() - started < GENEROUS_S
        sick = redis_stats(cache)
        assert sick.breaker == "open"
        assert sick.errors >= 1
        assert sick.skips > 0
        assert sick.lookups == 20, "each of the computations asked once, hits asked memory only"
        proxy.forward()
        give(cache, PATIENT_S)
        use(cache, "still open")
        assert redis_stats(cache).breaker == "open"
        clock.advance(10)
        use(cache, "back")
        assert redis_stats(cache).breaker == "closed"
        assert redis_stats(cache).detail == proxy.url.split("//")[1].split("/")[0]


@pytest.mark.proves("law-8/starts-without-redis")
@pytest.mark.parametrize("sicken", SICKNESSES[:5], ids=NAMES[:5])
def test_a_stack_starts_without_its_redis_and_takes_it_in_when_it_comes(
    sicken: Callable[[ChaosProxy], None],
    valkey: ValkeyServer,
    chaos_proxy: Callable[[str], ChaosProxy],
    clock: FakeClock,
    namespace: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    proxy = chaos_proxy(valkey.url)
    sicken(proxy)
    started = time.monotonic()
    with stack(proxy.url, clock, namespace, DEADLINE_S) as cache:
        use(cache, "without")
        assert time.monotonic() - started < GENEROUS_S
        stats = redis_stats(cache)
        assert stats.breaker == "open"
        assert stats.detail
        assert (
            len(
                [r for r in caplog.records if "starts without it and retries it later" in r.message]
            )
            == 1
        )
        proxy.forward()
        give(cache, PATIENT_S)
        clock.advance(10)
        use(cache, "with")
        assert redis_stats(cache).breaker == "closed"
        assert redis_stats(cache).writes > 0


@pytest.mark.proves("law-8/freeze-and-thaw")
def test_a_frozen_server_and_its_thaw(server: ValkeyServer, clock: FakeClock) -> None:
    with stack(server.url, clock) as cache:
        events: list[Event] = []
        use(cache, "before")
        cache.on_event(events.append)
        give(cache, DEADLINE_S)
        server.freeze()
        started = time.monotonic()
        use(cache, "frozen")
        assert time.monotonic() - started < GENEROUS_S
        assert redis_stats(cache).breaker == "open"
        clock.advance(10)
        use(cache, "probing")
        assert redis_stats(cache).breaker == "open", "the probe failed"
        server.thaw()
        give(cache, PATIENT_S)
        clock.advance(10)
        use(cache, "thawed")
        assert redis_stats(cache).breaker == "closed"
        states = [each.detail for each in events if each.kind is EventKind.BREAKER]
        assert states == ["open", "half_open", "open", "half_open", "closed"]


def test_a_server_that_restarts_costs_no_error(server: ValkeyServer, clock: FakeClock) -> None:
    with stack(server.url, clock) as cache:
        use(cache, "before")
        server.restart()
        # Deletions were lost with the data, so a fill after an earlier lookup must not land.
        assert cache.get_or_compute("first", lambda: "computed") == "computed"
        assert "first" not in cache
        use(cache, "after")
        stats = redis_stats(cache)
        assert (stats.errors, stats.breaker) == (0, "closed")


@pytest.mark.proves("law-2/lease-answer-lost")
def test_an_owner_that_asks_twice_does_not_wait_for_itself(server: ValkeyServer) -> None:
    """A tier asks twice if it lost the connection, or the cluster node, before the answer came."""
    with TieredCache([patient_redis(server.url)], namespace="twice") as cache:
        leases = cache._source.core().stack.levels[0].leases
        assert leases is not None
        first, again = (leases.acquire("key", "me", 30) for _ in range(2))
        assert (first.granted, again.granted, again.taken_over) == (True, True, False)
        assert not leases.acquire("key", "another", 30).granted
        assert leases.acquire("key", "me", 30).granted
        leases.release("key", "me")
        assert leases.acquire("key", "another", 30).granted


@pytest.mark.proves("law-4/tier-away", "removing/delete-tier-away")
def test_law_4_a_change_that_redis_missed_does_not_come_back_with_it(
    server: ValkeyServer, clock: FakeClock
) -> None:
    with stack(server.url, clock) as cache, stack(server.url, clock) as elsewhere:
        cache.set_many({"set": "old", "deleted": "old", "many": "old", "untouched": "kept"})
        give(cache, DEADLINE_S)
        server.freeze()
        result = cache.set("set", "new")
        assert result.tiers[1].outcome is WriteOutcome.FAILED
        assert not result
        cache.delete("deleted")
        cache.delete_many(["many"])
        for key in ("set", "deleted", "many"):
            cache._source.core().stack.levels[0].tier.delete(key)  # as if memory had evicted it
        assert cache.get("set") is None
        assert cache.lookup("deleted").status is LookupStatus.ERROR
        server.thaw()
        give(cache, PATIENT_S)
        clock.advance(10)
        assert cache.get("untouched") == "kept"  # the probe: Redis is back
        assert cache.get("set") is None
        assert cache.get("deleted") is None
        assert cache.get_many(["many", "untouched"]) == {"untouched": "kept"}
        assert elsewhere.get("deleted") is None, "it was deleted in Redis, too"


@pytest.mark.proves("law-1/server-loading")
def test_law_4_a_server_that_answers_loading_has_not_run_the_command() -> None:
    options = "--enable-debug-command yes --key-load-delay 500 --loading-process-events-interval-bytes 1024"
    with (
        ValkeyServer(port=0, options=options.split()) as server,
        redis.Redis.from_url(server.url) as admin,
        TieredCache([patient_redis(server.url)]) as cache,
    ):
        cache.set_many({"deleted": "old", "awaited": "old", "set": "old"})
        admin.mset({f"other {number}": 100 * "x" for number in range(8000)})
        with redis.Redis.from_url(server.url, socket_timeout=60) as other:
            reloading = threading.Thread(target=other.execute_command, args=("DEBUG", "RELOAD"))
            reloading.start()
            wait_until(partial(_is_loading, admin), "the server loads its data")
            assert not cache.delete("deleted")
            assert not asyncio.run(AsyncTieredCache.of(cache).delete("awaited"))
            result = cache.set("set", "new")
            assert result.tiers[0].outcome is WriteOutcome.FAILED
            assert "load" in result.tiers[0].reason.lower()
            with pytest.raises(TierUnavailableError):
                cache._source.core().stack.levels[0].tier.clear()
            assert _is_loading(admin), "all of that came while it did"
            reloading.join(60)
        assert cache.get_many(["deleted", "awaited", "set"]) == {}


def _is_loading(admin: redis.Redis) -> bool:
    try:
        admin.ping()
    except redis.exceptions.BusyLoadingError:
        return True
    return False


@pytest.mark.proves("law-4/tier-away", "removing/clear-tier-away")
def test_law_4_a_clear_that_redis_missed_holds_for_older_records(
    server: ValkeyServer, clock: FakeClock
) -> None:
    with stack(server.url, clock) as cache:
        cache.set("key", "old")
        give(cache, DEADLINE_S)
        server.freeze()
        clock.advance(1)
        cache.clear()
        server.thaw()
        give(cache, PATIENT_S)
        clock.advance(10)
        assert cache.get("key") is None
        cache.set("key", "new")
        cache._source.core().stack.levels[0].tier.delete("key")
        assert cache.get("key") == "new"


@pytest.mark.proves("law-8/statistics-are-no-sign")
def test_law_8_reading_statistics_does_not_close_the_breaker_of_a_dead_server(
    server: ValkeyServer, clock: FakeClock
) -> None:
    """`info` of a tier need not ask its server."""
    with stack(server.url, clock) as cache:
        server.kill()
        for _ in range(3):
            assert redis_stats(cache).breaker == "closed"
            assert cache.lookup("key").status is LookupStatus.ERROR
        assert redis_stats(cache).breaker == "open"
        clock.advance(10)
        assert redis_stats(cache).breaker == "open"
        assert cache.lookup("key").status is LookupStatus.ERROR
        changes = [each.state for each in redis_stats(cache).breaker_changes]
        assert changes == ["open", "half_open", "open"]


@pytest.mark.proves("law-8/statistics-are-no-sign")
def test_reading_statistics_notices_that_a_server_is_back(
    server: ValkeyServer, clock: FakeClock
) -> None:
    with stack(server.url, clock) as cache:
        server.kill()
        for _ in range(3):
            cache.lookup("key")
        before = redis_stats(cache).lookups
        assert cache.fleet().reach == "process"
        server.restart()
        assert redis_stats(cache).breaker == "open", "it is not time yet"
        clock.advance(10)
        assert redis_stats(cache).breaker == "closed"
        assert cache.fleet().reach == "cluster"
        assert redis_stats(cache).lookups == before


@pytest.mark.proves("law-9/unexpected-replies")
def test_a_connection_that_says_more_than_was_asked_is_not_used_again(
    server: ValkeyServer, clock: FakeClock
) -> None:
    """It is unknown which of its replies answers which command."""
    with stack(server.url, clock) as cache:
        cache.set("key", "value")
        levels = cache._source.core().stack.levels
        levels[0].tier.clear()
        idle = levels[1].tier._connections._idle  # type: ignore[attr-defined] # a RedisTier's
        babbling = [idle.get_nowait() for _ in range(idle.qsize())]
        assert babbling
        for each in babbling:
            each.read_some = lambda read=each.read_some: read() + b":1\r\n"
            idle.put(each)
        assert cache.get("key") == "value"
        assert redis_stats(cache).errors == 0
        left = [idle.get_nowait() for _ in range(idle.qsize())]
        assert left
        assert not {*babbling} & {*left}
        for each in left:
            idle.put(each)


@pytest.mark.proves("law-6/error-is-no-miss", "reading/failure", "reading/miss-and-error")
def test_an_error_is_not_a_miss(server: ValkeyServer, clock: FakeClock) -> None:
    with stack(server.url, clock) as cache:
        assert cache.lookup("key").status is LookupStatus.MISS
        server.kill()
        assert cache.lookup("key").status is LookupStatus.ERROR
        assert redis_stats(cache).errors == 1


@pytest.mark.proves("law-1/strict-raises")
def test_strict_raises_the_error_of_the_tier(server: ValkeyServer, clock: FakeClock) -> None:
    # The clock stands still, so memory stays trusted: the lookup fails, not the read of the log.
    with TieredCache([MemoryTier(), patient_redis(server.url)], strict=True, clock=clock) as cache:
        cache.set("key", 1)
        give(cache, DEADLINE_S)
        server.freeze()
        with pytest.raises(TierTimeoutError) as caught:
            cache.get("absent")
        assert (caught.value.tier, caught.value.operation, caught.value.key) == (
            "redis",
            "get",
            "absent",
        )
        server.thaw()


@pytest.mark.proves("law-1/strict-background")
def test_a_strict_cache_that_does_not_start_releases_its_tiers(tmp_path: Path) -> None:
    tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path), RedisTier("redis://127.0.0.1:1/0")]
    with pytest.raises(TierUnavailableError, match=r"127\.0\.0\.1:1"):
        TieredCache(tiers, strict=True)
    with TieredCache(tiers) as lenient:
        lenient.set("key", 1)
        assert lenient.get("key") == 1


@pytest.mark.proves("law-1/strict-background")
def test_a_strict_cache_closes_without_its_server(server: ValkeyServer, tmp_path: Path) -> None:
    tier = DiskTier(tmp_path)
    cache = TieredCache([MemoryTier(), tier, patient_redis(server.url)], strict=True)
    cache.set("key", 1)
    server.kill()
    cache.close()
    with TieredCache([tier]) as another:  # the cache closed and released it
        assert another.get("key") == 1


@pytest.mark.parametrize(
    ("url", "told", "remedy"),
    [
        ("redis://127.0.0.1:1/0", "127.0.0.1:1", START_SERVER),
        ("redis://:secret@no-such-host.invalid/0", "no-such-host.invalid:6379", START_SERVER),
        ("unix:///nowhere/at/all.sock", "/nowhere/at/all.sock", START_SERVER),
        ("rediss://127.0.0.1:{port}/0", "127.0.0.1:{port}", START_SERVER),
        ("redis://127.0.0.1:{port}/4711", "DB index", CHECK_LOGIN),
    ],
)
def test_a_redis_that_cannot_be_used_is_a_clear_error_where_it_is_the_only_tier(
    url: str, told: str, remedy: str, server: ValkeyServer
) -> None:
    port = server.url.rsplit(":", 1)[1].split("/")[0]
    started = time.monotonic()
    with pytest.raises(TierUnavailableError) as caught:
        TieredCache([RedisTier(url.format(port=port), timeout="1s")])
    assert time.monotonic() - started < GENEROUS_S
    assert told.format(port=port) in str(caught.value)
    assert remedy in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.proves("law-1/no-secrets-logged")
def test_a_wrong_password_is_told_without_it() -> None:
    with ValkeyServer(
        port=0, options=["--requirepass", "right-secret"], password="right-secret"
    ) as server:
        TieredCache([patient_redis(server.url)]).close()
        wrong = server.url.replace("right-secret", "wrong-secret")
        with pytest.raises(TierUnavailableError, match=r"(?i)password") as caught:
            TieredCache([patient_redis(wrong)])
        assert CHECK_LOGIN in str(caught.value)
        assert "-secret" not in str(caught.value)
        assert "-secret" not in repr(caught.value.__cause__)


@pytest.mark.parametrize("url", ["http://localhost", "localhost:6379", "", "redis://host:port/0"])
def test_a_url_that_is_none_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError, match="Redis URL"):
        RedisTier(url)


def test_a_url_that_is_none_shows_nothing_of_its_password() -> None:
    with pytest.raises(ConfigurationError) as caught:
        RedisTier("redis://:pa/ss-word@host/0")
    error = caught.value
    assert "pa" not in str(error).replace("password", "")
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_a_full_server_refuses_writes_and_still_answers(server: ValkeyServer) -> None:
    with TieredCache([MemoryTier(), patient_redis(server.url)]) as cache:
        cache.set("key", "small")
        with redis.Redis.from_url(server.url) as admin:
            admin.config_set("maxmemory", 1)
        result = cache.set("other", "value")
        assert result.tiers[1].outcome is WriteOutcome.REFUSED
        assert "maxmemory" in result.tiers[1].reason
        assert redis_stats(cache).breaker == "closed"


@pytest.mark.proves("law-9/unusable-bytes")
def test_a_foreign_type_under_our_key_is_removed_and_no_fault_of_the_tier(
    server: ValkeyServer,
) -> None:
    with (
        TieredCache([MemoryTier(), patient_redis(server.url)]) as cache,
        redis.Redis.from_url(server.url) as admin,
    ):
        admin.rpush("tiered-cache:{default}:list", "a", "b")
        admin.set("tiered-cache:{default}:text", "not a record")
        for key in ("list", "text"):
            assert cache.get_or_compute(key, lambda: "computed") == "computed"
            assert [each.present for each in cache.explain(key)] == [True, True]
        stats = redis_stats(cache)
        assert (stats.corrupt, stats.errors, stats.misses, stats.breaker) == (2, 0, 2, "closed")


@pytest.mark.proves("law-12/namespace")
def test_law_12_nothing_outside_the_namespace_is_touched(server: ValkeyServer) -> None:
    with redis.Redis.from_url(server.url) as admin:
        admin.set("another:key", "1")
        admin.set("tiered-cache:{other}:key", "2")
        admin.set("tiered-cache:{a*}:key", "3")
        with TieredCache([patient_redis(server.url)], namespace="a") as cache:
            cache.set_many({"x": 1, "y": 2})
            cache.clear()
            assert not list(cache.keys())
        with TieredCache([patient_redis(server.url)], namespace="other") as cache:
            cache.delete("nothing")
        left = {bytes(key) for key in admin.scan_iter()}
        assert {b"another:key", b"tiered-cache:{other}:key", b"tiered-cache:{a*}:key"} <= left
        commands = admin.info("commandstats")
        assert not [each for each in commands if "flush" in each or each == "cmdstat_keys"]
