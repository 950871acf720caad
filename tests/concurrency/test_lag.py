"""How far a cache is with the changes of others, in its statistics."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.patience import patient_redis
from tiered_cache import Coherence, DiskTier, MemoryTier, RedisTier, TieredCache
from tiered_cache.cli import main
from tiered_cache.contracts.change_log import Lag
from tiered_cache.stats.fleet.reports import ProcessReport, decode_report, encode
from tiered_cache.stats.snapshot.cache_stats import CacheStats, TierStats
from tiered_cache.stats.snapshot.merge import at_rest, merged
from tiered_cache.testing import FakeClock, ValkeyServer, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tiered_cache.contracts import Tier
    from tiered_cache.testing import ChaosProxy


@pytest.fixture(params=["disk", "redis"])
def make_cache(
    request: pytest.FixtureRequest, tmp_path: Path, redis_url: str, namespace: str
) -> Callable[..., TieredCache]:
    def make(**options: object) -> TieredCache:
        shared: Tier[Any] = (
            DiskTier(tmp_path) if request.param == "disk" else patient_redis(redis_url)
        )
        return TieredCache([MemoryTier(), shared], namespace=namespace, **options)  # type: ignore[arg-type] # passed on

    return make


def lag_of(cache: TieredCache) -> Lag:
    """The lag of the shared tier, the only one that has any."""
    memory, shared = cache.stats().tiers
    assert memory.lag is None
    assert shared.lag is not None
    return shared.lag


@pytest.mark.proves("counting/lag")
def test_a_cache_that_was_just_opened_has_read_the_log(
    make_cache: Callable[..., TieredCache],
) -> None:
    clock = FakeClock()
    with make_cache(clock=clock) as cache:
        assert (lag_of(cache).behind_s, lag_of(cache).delay_s) == (0.0, None)
        clock.advance(7.0)
        assert lag_of(cache).behind_s == 7.0
        cache.get("key")  # which reads the log: it is past the bound
        assert lag_of(cache).behind_s == 0.0


@pytest.mark.proves("counting/lag")
def test_a_change_elsewhere_moves_the_position_and_has_a_delay(
    make_cache: Callable[..., TieredCache],
) -> None:
    with make_cache() as here, make_cache() as there:
        here.get("key")
        before = lag_of(here)
        assert before.delay_s is None
        there.set("key", "value")

        def has_heard() -> bool:
            return here.get("key") == "value" and lag_of(here).delay_s is not None

        wait_until(has_heard, "the change arrives")
        after = lag_of(here)
        assert int(after.position) > int(before.position or "0")
        assert after.delay_s is not None
        assert after.delay_s >= 0.0


def test_own_changes_of_a_cache_have_no_delay(make_cache: Callable[..., TieredCache]) -> None:
    clock = FakeClock()
    with make_cache(clock=clock) as cache:
        before = int(lag_of(cache).position)
        cache.set("key", "value")
        clock.advance(7.0)
        cache.get("key")
        assert lag_of(cache).delay_s is None
        assert int(lag_of(cache).position) > before


@pytest.mark.proves("counting/lag")
def test_a_delay_is_counted_from_the_change(tmp_path: Path, namespace: str) -> None:
    clock = FakeClock()

    def make() -> TieredCache:
        return TieredCache([MemoryTier(), DiskTier(tmp_path)], namespace=namespace, clock=clock)

    with make() as here, make() as there:
        there.set("key", "value")
        clock.advance(30.0)
        here.get("key")
        assert lag_of(here).delay_s == 30.0


@pytest.mark.proves("counting/lag")
def test_a_log_that_cannot_be_read_is_more_and_more_behind(
    chaos_proxy: Callable[[str], ChaosProxy], valkey: ValkeyServer, namespace: str
) -> None:
    proxy = chaos_proxy(valkey.url)
    clock = FakeClock()
    tiers: list[Tier[Any]] = [MemoryTier(), patient_redis(proxy.url)]
    with TieredCache(tiers, namespace=namespace, clock=clock) as cache:
        proxy.refuse()
        for passed in (10.0, 20.0):
            clock.advance(10.0)
            cache.get("key")
            assert lag_of(cache).behind_s == passed
            assert cache.stats().bus_lag_s == passed
        proxy.forward()
        clock.advance(10.0)
        cache.get("key")
        assert lag_of(cache).behind_s == 0.0


def test_a_cache_that_was_never_connected_has_never_read_it() -> None:
    with TieredCache([MemoryTier(), RedisTier("redis://127.0.0.1:1/0")]) as cache:
        lag = lag_of(cache)
        assert (lag.position, lag.behind_s, lag.delay_s) == ("", None, None)


def test_a_cache_that_was_closed_complains_of_nothing(
    namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    others = _followers()
    with ValkeyServer() as server:
        # Its thread still waits for changes when it is closed, for a quarter of this.
        bound = Coherence(bound="8s")
        tiers: list[Tier[Any]] = [MemoryTier(), patient_redis(server.url)]
        with TieredCache(tiers, namespace=namespace, coherence=bound) as cache:
            wait_until(
                lambda: cache.get("key") is None and bool(_followers() - others), "it begins"
            )
    wait_until(lambda: not (_followers() - others), "it ends")
    assert caplog.text == ""


def _followers() -> set[threading.Thread]:
    """The threads that wait for changes on a server."""
    return {each for each in threading.enumerate() if each.name == "tiered-cache-follower-redis"}


def test_of_several_processes_the_one_that_is_furthest_behind_counts() -> None:
    lags = [Lag("7", 3.0, 0.1), None, Lag("8", 5.0, None), Lag("9", 1.0, 2.0)]

    def merge(*given: Lag | None) -> CacheStats:
        tiers = [TierStats("redis", reach="cluster", lag=each) for each in given]
        return merged([("host", CacheStats(tiers=(tier,))) for tier in tiers])

    assert merge(*lags).tier("redis").lag == lags[2]
    assert merge(*lags, Lag("", None, None)).tier("redis").lag == Lag("", None, None)
    assert merge(None, None).tier("redis").lag is None
    # A process that is gone is behind nothing.
    assert at_rest(merge(*lags)).tier("redis").lag is None


def test_a_lag_is_published_with_the_rest() -> None:
    stats = CacheStats(tiers=(TierStats("redis", lag=Lag("7", 3.0, None)),))
    report = ProcessReport(
        name="a", host="h", pid=1, program="p", started_s=0.0, at_s=1.0, stats=stats
    )
    assert decode_report(encode(report)).stats == stats


@pytest.mark.proves("counting/lag")
def test_each_log_has_a_lag_and_a_cache_without_copies_has_none(
    tmp_path: Path, redis_url: str, namespace: str
) -> None:
    tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path), patient_redis(redis_url)]
    with TieredCache(tiers, namespace=namespace) as cache:
        stats = cache.stats()
        assert [tier.lag is not None for tier in stats.tiers] == [False, True, True]
        # A difference keeps how things stand.
        assert (stats - stats).tier("redis").lag == stats.tier("redis").lag
        plain = json.loads(json.dumps(stats.to_dict()))
        lag = stats.tier("redis").lag
        assert lag is not None
        assert plain["tiers"][2]["lag"] == {
            "position": lag.position,
            "behind_s": lag.behind_s,
            "delay_s": None,
        }
    with TieredCache([patient_redis(redis_url)], namespace=namespace) as alone:
        assert alone.stats().tier("redis").lag is None


def test_one_that_only_looks_at_the_others_is_not_behind_them(tmp_path: Path) -> None:
    clock = FakeClock()

    def opened() -> TieredCache:
        return TieredCache([MemoryTier(), DiskTier(tmp_path)], clock=clock)

    with opened() as looking, opened() as working:
        assert looking.fleet().stats.bus_lag_s == 0.0, "alone it speaks for itself"
        clock.advance(3600.0)
        working.get("key")
        working._source.core()._publisher.publish(60.0)
        for _ in range(2):
            stats = looking.fleet().stats
            assert stats.lookups == 1
            assert stats.bus_lag_s == 0.0
            lag = stats.tier("disk").lag
            assert lag is not None
            assert lag.behind_s == 0.0
            looking.delete("key")  # as from a page: now it did something as well
            looking._source.core()._publisher.publish(60.0)


def test_the_command_line_says_how_far_behind_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stats"]) == 0
    assert "disk: changes by others are known up to" in capsys.readouterr().out
    assert main(["stats", "--json"]) == 0
    (memory, disk) = json.loads(capsys.readouterr().out)["tiers"]
    assert memory["lag"] is None
    assert disk["lag"]["behind_s"] >= 0.0
    monkeypatch.setenv("TIERED_CACHE_REDIS_URL", "redis://127.0.0.1:1/0")
    assert main(["stats"]) == 4
    assert "redis: changes by others are not known" in capsys.readouterr().out
