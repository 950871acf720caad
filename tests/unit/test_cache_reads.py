"""Reading through a stack: falling through, promotion, outcomes and lifetimes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.patience import patient_redis
from tiered_cache import (
    CacheClosedError,
    DiskTier,
    InvalidDurationError,
    InvalidKeyError,
    LookupStatus,
    MemoryTier,
    NullTier,
    TieredCache,
)
from tiered_cache.errors import ConfigurationError, SerializationError
from tiered_cache.policies import Never
from tiered_cache.testing import FakeClock
from tiered_cache.tiers.redis._client import RedisClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tiered_cache.contracts import Tier


@pytest.fixture
def cache(
    tmp_path: Path, redis_url: str, namespace: str, clock: FakeClock
) -> Iterator[TieredCache]:
    with TieredCache(
        [MemoryTier(), DiskTier(tmp_path), patient_redis(redis_url)],
        namespace=namespace,
        clock=clock,
    ) as made:
        yield made


@pytest.fixture
def second_process(
    tmp_path: Path, redis_url: str, namespace: str, clock: FakeClock
) -> Iterator[TieredCache]:
    """Another memory tier over the same stores, as another process has it."""
    with TieredCache(
        [MemoryTier(), DiskTier(tmp_path), patient_redis(redis_url)],
        namespace=namespace,
        clock=clock,
    ) as made:
        yield made


@pytest.fixture
def second_host(
    tmp_path: Path, redis_url: str, namespace: str, clock: FakeClock
) -> Iterator[TieredCache]:
    """Another memory and disk tier over the same server."""
    with TieredCache(
        [MemoryTier(), DiskTier(tmp_path / "second"), patient_redis(redis_url)],
        namespace=namespace,
        clock=clock,
    ) as made:
        yield made


def never() -> object:
    raise AssertionError("it must not be computed")


@pytest.mark.proves("reading/fresh")
def test_a_lookup_falls_through_and_is_promoted(
    cache: TieredCache, second_process: TieredCache, second_host: TieredCache
) -> None:
    cache.set("key", (1, {"a": [2.5, None]}))
    for other, tiers in [(second_process, ["disk"]), (second_host, ["redis", "disk"])]:
        first = other.lookup("key")
        assert (first.status, first.tier) == (LookupStatus.HIT, tiers[0])
        assert first.value == (1, {"a": [2.5, None]})
        assert other.lookup("key").tier == "memory"
        assert [each.present for each in other.explain("key")] == [True, True, True]
        assert other.stats().tier("memory").promotions == 1


@pytest.mark.proves("promotion/same-bytes")
def test_the_same_bytes_are_promoted_from_redis_to_disk(
    cache: TieredCache, second_host: TieredCache
) -> None:
    cache.set("key", ["value"], ttl=1000)
    second_host.get("key")
    sizes = [each.bytes for each in second_host.explain("key")]
    assert len(set(sizes)) == 1
    assert second_host.stats().tier("disk").promotions == 1


@pytest.mark.proves("promotion/policy-no")
def test_promotion_never_copies_nothing(tmp_path: Path, namespace: str) -> None:
    disk = DiskTier(tmp_path)
    with TieredCache([MemoryTier(), disk], namespace=namespace) as writer:
        writer.set("key", 1)
    with TieredCache(
        [MemoryTier(), DiskTier(tmp_path)], namespace=namespace, promotion=Never()
    ) as reader:
        assert reader.lookup("key").tier == "disk"
        assert reader.lookup("key").tier == "disk"


@pytest.mark.proves("law-6/falsy-values")
@pytest.mark.parametrize("value", [None, 0, "", {}, [], False, (), ValueError])
def test_law_6_every_value_is_a_value(value: object) -> None:
    with TieredCache([MemoryTier()], clock=FakeClock()) as cache:
        assert cache.lookup("key").status is LookupStatus.MISS
        cache.set("key", value)
        assert cache.lookup("key") == cache.lookup("key")._replace(value=value)
        assert cache.lookup("key").status is LookupStatus.HIT
        assert cache.get("key", "default") is value
        assert cache.get_or_compute("key", never) is value
        assert "key" in cache
        assert cache.get_many(["key", "other"]) == {"key": value}


@pytest.mark.proves("law-1/compute-raises", "filling/compute-raised")
def test_law_1_an_exception_of_compute_is_raised_and_not_stored(cache: TieredCache) -> None:
    error = RuntimeError("from the function")

    def fail() -> None:
        raise error

    with pytest.raises(RuntimeError) as caught:
        cache.get_or_compute("key", fail)
    assert caught.value is error
    assert cache.get_or_compute("key", lambda: "now it works") == "now it works"
    assert cache.stats().compute_errors == 1


def _counting() -> Iterator[int]:
    yield from range(3)


async def _waiting() -> int:
    return 3


@pytest.mark.proves("law-1/single-use-values")
def test_single_use_values_are_returned_and_not_stored(cache: TieredCache) -> None:
    for _ in range(2):
        assert list(cache.get_or_compute("key", _counting)) == [0, 1, 2]
        made = cache.get_or_compute_many(["key"], lambda keys: dict.fromkeys(keys, _counting()))
        assert list(made["key"]) == [0, 1, 2]
    assert "key" not in cache
    waiting = _waiting()
    with pytest.raises(SerializationError, match="a coroutine can be used only once"):
        cache.set("key", waiting)
    waiting.close()
    with pytest.raises(SerializationError, match="a generator can be used only once"):
        cache.set_many({"other": 1, "key": _counting()})
    assert "other" not in cache


@pytest.mark.proves("reading/many")
def test_get_many_asks_each_tier_once_for_the_missing_keys(
    cache: TieredCache, second_process: TieredCache
) -> None:
    cache.set_many({"a": 1, "b": 2, "c": None})
    second_process.get("a")
    before = second_process.stats()
    assert second_process.get_many(["a", "b", "c", "d", "a"]) == {"a": 1, "b": 2, "c": None}
    spent = second_process.stats() - before
    lookups = [(tier.name, tier.lookups, tier.hits) for tier in spent.tiers]
    assert lookups == [("memory", 4, 1), ("disk", 3, 2), ("redis", 1, 0)]
    assert (spent.hits, spent.misses) == (3, 1)
    assert second_process.lookup("c").tier == "memory"


@pytest.mark.proves("reading/many")
def test_get_or_compute_many_computes_the_missing_in_one_call(cache: TieredCache) -> None:
    cache.set("a", "kept")
    calls: list[list[str]] = []

    def compute(missing: object) -> dict[str, str]:
        assert isinstance(missing, list)
        calls.append(missing)
        return {key: key.upper() for key in missing if key != "left out"}

    found = cache.get_or_compute_many(["a", "b", "c", "left out"], compute)
    assert found == {"a": "kept", "b": "B", "c": "C"}
    assert calls == [["b", "c", "left out"]]
    assert cache.get_or_compute_many(["b", "c"], compute) == {"b": "B", "c": "C"}
    assert len(calls) == 1


@pytest.mark.proves("law-3/promotion-remaining")
def test_law_3_a_promotion_carries_the_remaining_lifetime(
    tmp_path: Path, namespace: str, clock: FakeClock
) -> None:
    def stack() -> TieredCache:
        return TieredCache([MemoryTier(), DiskTier(tmp_path)], namespace=namespace, clock=clock)

    with stack() as writer, stack() as reader:
        writer.set("key", "value", ttl=100)
        clock.advance(60)
        assert reader.lookup("key").remaining_s == pytest.approx(40)
        assert reader.lookup("key").tier == "memory"
        assert reader.lookup("key").remaining_s == pytest.approx(40)
        clock.advance(39.9)
        assert reader.get("key") == "value"
        clock.advance(0.2)
        assert reader.lookup("key").status is LookupStatus.MISS
        assert reader.get("key") is None


class SlowDisk(DiskTier):
    """A disk on which a write takes five seconds of a clock."""

    clock: FakeClock

    def put(self, *args: Any, **options: Any) -> bool:
        self.clock.advance(5)
        return super().put(*args, **options)


@pytest.mark.parametrize("how", ["set", "computed"])
def test_law_3_the_time_that_a_write_below_takes_is_not_given_to_memory(
    how: str, tmp_path: Path, namespace: str, clock: FakeClock
) -> None:
    disk = SlowDisk(tmp_path)
    disk.clock = clock
    with TieredCache([MemoryTier(), disk], namespace=namespace, clock=clock) as cache:
        if how == "set":
            cache.set("key", "value", ttl=10)
        else:
            cache.get_or_compute("key", lambda: "value", ttl=10)
        clock.advance(4.9)
        assert cache.get("key") == "value"
        clock.advance(0.2)
        assert cache.get("key") is None
        assert not cache.exists("key")


@pytest.mark.proves("law-3/clock-ahead")
def test_law_3_a_writer_with_a_fast_clock_does_not_lengthen_a_lifetime(
    tmp_path: Path, redis_url: str, namespace: str
) -> None:
    ahead, right = FakeClock(start_wall=1_700_000_004.0), FakeClock(start_wall=1_700_000_000.0)
    with (
        TieredCache([patient_redis(redis_url)], namespace=namespace, clock=ahead) as writer,
        TieredCache(
            [MemoryTier(), DiskTier(tmp_path), patient_redis(redis_url)],
            namespace=namespace,
            clock=right,
        ) as reader,
    ):
        writer.set("key", "value", ttl=60)
        found = reader.lookup("key")
        assert found.status is LookupStatus.HIT
        # The record alone would say 64 seconds by the reader's clock; the server knows better.
        assert 30 < found.remaining_s <= 60
        assert reader.lookup("key").tier == "memory"
        assert reader.lookup("key").remaining_s <= 60


@pytest.mark.proves("law-3/from-the-future", "reading/from-the-future")
def test_law_3_a_record_from_the_future_is_a_miss(tmp_path: Path, namespace: str) -> None:
    clock = FakeClock()
    with TieredCache([DiskTier(tmp_path)], namespace=namespace, clock=clock) as cache:
        cache.set("key", "value", ttl=60)
        clock.set_wall(clock.wall() - 3600)
        assert cache.lookup("key").status is LookupStatus.MISS
        assert "future" in cache.explain("key")[0].why


@pytest.mark.proves("counting/uncounted")
def test_peek_promotes_nothing_and_counts_nothing(
    cache: TieredCache, second_process: TieredCache
) -> None:
    cache.get_or_compute("key", lambda: "value", tags={"b", "a"})
    found = second_process.peek("key")
    assert (found.status, found.value, found.tier) == (LookupStatus.HIT, "value", "disk")
    assert found.tags == {"a", "b"}
    assert second_process.peek("absent").status is LookupStatus.MISS
    assert [each.present for each in second_process.explain("key")] == [False, True, True]
    stats = second_process.stats()
    assert (stats.lookups, sum(tier.lookups for tier in stats.tiers)) == (0, 0)


def test_explain_tells_tags_and_cost(cache: TieredCache) -> None:
    cache.get_or_compute("key", lambda: "value", tags={"b", "a"})
    told = cache.explain("key")
    assert {each.tags for each in told} == {frozenset({"a", "b"})}
    assert all(each.cost_s is not None and each.cost_s >= 0 for each in told)
    (absent, *_) = cache.explain("absent")
    assert (absent.tags, absent.cost_s) == (frozenset(), None)


@pytest.mark.proves("removing/touch")
def test_touch_gives_a_new_lifetime_in_every_tier(
    tmp_path: Path, namespace: str, clock: FakeClock
) -> None:
    with TieredCache([MemoryTier(), DiskTier(tmp_path)], namespace=namespace, clock=clock) as cache:
        cache.set("key", "value", ttl=10)
        clock.advance(8)
        assert cache.touch("key", "1m")
        assert [each.remaining_s for each in cache.explain("key")] == [
            pytest.approx(60, abs=5),  # the disk tier keeps time by the real clock as well
            pytest.approx(60, abs=5),
        ]
        clock.advance(50)
        assert cache.get("key") == "value"
        assert cache.touch("key", None)
        clock.advance(10**6)
        assert cache.get("key") == "value"
        assert not cache.touch("absent", 10)


@pytest.mark.proves("reading/exists", "counting/uncounted")
def test_exists_promotes_nothing_and_counts_nothing(
    cache: TieredCache, second_process: TieredCache
) -> None:
    cache.set("key", 1)
    before = second_process.stats()
    assert second_process.exists("key")
    assert "absent" not in second_process
    assert [each.present for each in second_process.explain("key")] == [False, True, True]
    spent = second_process.stats() - before
    assert spent.lookups == 0
    assert all(tier.lookups == tier.promotions == 0 for tier in spent.tiers)


@pytest.mark.proves("reading/keys")
def test_keys_lists_each_key_once_and_views_apart(cache: TieredCache) -> None:
    cache.set_many({"a:1": 1, "a:2": 2, "b:1": 3})
    view = cache.namespace("view")
    view.set_many({"a:1": "in the view", "*": "a star"})
    assert sorted(cache.keys()) == ["a:1", "a:2", "b:1"]
    assert sorted(cache.keys("a:")) == ["a:1", "a:2"]
    assert sorted(view.keys()) == ["*", "a:1"]
    assert (view.get("a:1"), cache.get("a:1")) == ("in the view", 1)
    inner = view.namespace("inner")
    inner.set("a:1", "deeper")
    assert sorted(view.keys()) == ["*", "a:1"]
    assert view.clear() == 3
    assert sorted(cache.keys()) == ["a:1", "a:2", "b:1"]
    assert cache.clear() == 3
    assert not list(cache.keys())


@pytest.mark.proves("keys/valid-key")
@pytest.mark.parametrize("key", ["", 5, None, b"bytes", "\x1fview", "\ud800", "x" * 10_000_000])
def test_a_bad_key_is_a_clear_error_everywhere(cache: TieredCache, key: Any) -> None:
    calls: list[Callable[[], object]] = [
        lambda: cache.get(key),
        lambda: cache.set(key, 1),
        lambda: cache.get_or_compute(key, never),
        lambda: cache.delete(key),
        lambda: cache.exists(key),
        lambda: cache.get_many(["good", key]),
        lambda: cache.set_many({key: 1}),
        lambda: cache.touch(key, 1),
        lambda: cache.explain(key),
    ]
    for call in calls:
        with pytest.raises(InvalidKeyError):
            call()
    assert not list(cache.keys())


@pytest.mark.proves("lifetimes/invalid")
@pytest.mark.parametrize(
    "ttl", [0, -1, float("nan"), 1e300, 10**400, "soon", "-1s", True, object()]
)
def test_a_bad_ttl_is_a_clear_error_and_stores_nothing(cache: TieredCache, ttl: object) -> None:
    bad: Any = ttl
    calls: list[Callable[[], object]] = [
        lambda: cache.set("key", 1, ttl=bad),
        lambda: cache.get_or_compute("key", never, ttl=bad),
        lambda: cache.set_many({"key": 1}, ttl=bad),
    ]
    for call in calls:
        with pytest.raises(InvalidDurationError, match="ttl"):
            call()
    assert "key" not in cache


@pytest.mark.proves("lifetimes/zero")
def test_zero_ttl_is_explained() -> None:
    with TieredCache([MemoryTier()]) as cache, pytest.raises(InvalidDurationError, match="delete"):
        cache.set("key", 1, ttl=0)


@pytest.mark.proves("lifetimes/default")
def test_the_default_ttl_holds_where_none_is_given(clock: FakeClock) -> None:
    with TieredCache([MemoryTier()], default_ttl="10s", clock=clock) as cache:
        cache.set("key", 1)
        cache.set("for ever", 1, ttl=float("inf"))
        assert cache.lookup("key").remaining_s == 10
        clock.advance(11)
        assert "key" not in cache
        assert "for ever" in cache


@pytest.mark.proves("configuration/senseless-order")
def test_an_order_that_makes_no_sense_is_refused(tmp_path: Path, redis_url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"'memory'.*'redis'.*put 'memory' first"):
        TieredCache([patient_redis(redis_url), MemoryTier()])
    with pytest.raises(ConfigurationError, match="'disk'"):
        TieredCache([MemoryTier(), patient_redis(redis_url), DiskTier(tmp_path)])
    with pytest.raises(ConfigurationError, match="at least one tier"):
        TieredCache([])
    with pytest.raises(ConfigurationError, match="two tiers are called 'memory'"):
        TieredCache([MemoryTier(), MemoryTier()])


def test_a_tier_belongs_to_one_cache() -> None:
    tier = MemoryTier()
    with TieredCache([tier], namespace="one"):
        with pytest.raises(ConfigurationError, match="belongs to another cache"):
            TieredCache([tier], namespace="two")
        with pytest.raises(ConfigurationError, match="two tiers are called"):
            TieredCache([MemoryTier(), MemoryTier()])
    with TieredCache([tier], namespace="two") as cache:
        assert cache.set("key", 1)


@pytest.mark.proves("reading/all-miss")
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_one_engine_for_any_number_of_tiers(
    count: int, tmp_path: Path, redis_url: str, namespace: str
) -> None:
    tiers: list[Tier[Any]] = [
        MemoryTier(name="l0"),
        MemoryTier(),
        DiskTier(tmp_path),
        patient_redis(redis_url),
    ]
    with TieredCache(tiers[4 - count :], namespace=namespace) as cache:
        assert cache.get_or_compute("key", lambda: 5) == 5
        assert cache.get("key") == 5
        assert len(cache.explain("key")) == count
        assert all(each.present for each in cache.explain("key"))
        assert cache.delete("key")
        assert "key" not in cache


def test_a_null_tier_holds_nothing() -> None:
    with TieredCache([NullTier()]) as cache:
        assert cache.set("key", 1)
        assert cache.get("key") is None
        assert cache.get_or_compute("key", lambda: 2) == 2


@pytest.mark.proves("removing/closed")
def test_a_closed_cache_says_so() -> None:
    cache = TieredCache([MemoryTier()])
    cache.set("key", 1)
    cache.close()
    cache.close()
    with pytest.raises(CacheClosedError, match="closed"):
        cache.get("key")
    with pytest.raises(CacheClosedError):
        cache.set("key", 2)


def test_a_deferred_cache_is_built_on_first_use_and_replaceable() -> None:
    built: list[TieredCache] = []

    def build() -> TieredCache:
        built.append(TieredCache([MemoryTier()]))
        return built[-1]

    cache = TieredCache.deferred(build)
    view = cache.namespace("view")
    assert not built
    cache.set("key", 1)
    view.set("key", 2)
    assert (cache.get("key"), view.get("key"), len(built)) == (1, 2, 1)
    cache.rebuild(build)
    assert len(built) == 1
    assert cache.get("key") is None
    assert view.get("key") is None
    assert len(built) == 2
    cache.close()


def test_tags_are_kept_and_checked(cache: TieredCache, second_process: TieredCache) -> None:
    cache.set("key", 1, tags={"repo:x", "file:y"})
    assert second_process.lookup("key").tags == {"repo:x", "file:y"}
    for bad in ("repo:x", [""], [5]):
        with pytest.raises(InvalidKeyError, match="tags"):
            cache.set("key", 1, tags=bad)  # type: ignore[arg-type] # on purpose


def test_a_hundred_keys_of_a_server_take_one_round_trip(
    cache: TieredCache, second_host: TieredCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {f"key {number}": number for number in range(100)}
    cache.set_many(values)
    exchanges: list[tuple[str, int]] = []
    send = RedisClient.send

    def counted(client: RedisClient, operation: str, key: str | None, commands: Any) -> Any:
        exchanges.append((operation, len(commands)))
        return send(client, operation, key, commands)

    monkeypatch.setattr(RedisClient, "send", counted)
    assert second_host.get_many(values) == values
    assert [each for each in exchanges if each[0] == "get_many"] == [("get_many", 200)]
