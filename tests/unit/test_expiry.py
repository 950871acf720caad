"""The lifetimes of values: those of callers, functions and expiry policies."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiered_cache import DiskTier, MemoryTier, TieredCache, current
from tiered_cache.errors import ConfigurationError, InvalidDurationError
from tiered_cache.policies import ExpiryPolicy, Jittered, Negative, NewValue, Until
from tiered_cache.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BERLIN = "Europe/Berlin"


def new(value: object = 1, lifetime_s: float = 100.0, now_s: float = 0.0) -> NewValue:
    return NewValue("key", value, lifetime_s, 0.5, now_s)


def at(text: str) -> float:
    return dt.datetime.fromisoformat(text).timestamp()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def cache(clock: FakeClock) -> Iterator[TieredCache]:
    with TieredCache([MemoryTier()], clock=clock) as made:
        yield made


def remaining(cache: TieredCache, key: str = "key") -> float:
    return cache.lookup(key).remaining_s


@pytest.mark.proves("lifetimes/function")
def test_a_function_says_the_lifetime_of_each_value(cache: TieredCache) -> None:
    cache.set("key", 7, ttl=lambda value: value)
    assert remaining(cache) == pytest.approx(7.0)
    assert cache.get_or_compute("computed", lambda: 9, ttl=lambda value: f"{value}m") == 9
    assert remaining(cache, "computed") == pytest.approx(540.0)
    cache.set_many({"a": 1, "b": 2}, ttl=lambda value: value * 10)
    assert (remaining(cache, "a"), remaining(cache, "b")) == pytest.approx((10.0, 20.0))

    @cache.cached(ttl=lambda value: value)
    def function(number: int) -> int:
        return number

    function(30)
    assert remaining(cache, function.key_for(30)) == pytest.approx(30.0)
    cache.set("endless", 1, ttl=lambda _: None)
    assert remaining(cache, "endless") == math.inf


@pytest.mark.proves("lifetimes/function")
def test_a_function_that_gives_no_lifetime(cache: TieredCache) -> None:
    with pytest.raises(InvalidDurationError):
        cache.set("key", 1, ttl=lambda _: -1)
    assert cache.get_or_compute("key", lambda: 5, ttl=lambda _: "soon") == 5
    assert not cache.exists("key"), "law 1: the caller gets the computed value, which is not stored"


@pytest.mark.proves("expiry/current")
def test_a_computation_sets_the_ttl_and_tags_of_its_result(cache: TieredCache) -> None:
    def compute() -> str:
        current().set_ttl("5m")
        current().add_tags(["from inside"])
        return "value"

    assert cache.get_or_compute("key", compute, ttl="1h", tags=["from outside"]) == "value"
    found = cache.lookup("key")
    assert found.remaining_s == pytest.approx(300.0)
    assert found.tags == {"from inside", "from outside"}
    current().set_ttl("1s")
    assert compute() == "value", "it can be called without a cache"


@pytest.mark.proves("expiry/current")
def test_a_computation_can_have_its_result_not_stored(cache: TieredCache) -> None:
    def compute() -> str:
        current().skip()
        return "partial"

    assert cache.get_or_compute("key", compute) == "partial"
    assert not cache.exists("key")


@pytest.mark.proves("expiry/current")
def test_of_nested_computations_each_speaks_for_itself(cache: TieredCache) -> None:
    def inner() -> int:
        current().set_ttl("1s")
        return 1

    def outer() -> int:
        current().set_ttl("1m")
        return cache.get_or_compute("inner", inner)

    cache.get_or_compute("outer", outer)
    assert (remaining(cache, "inner"), remaining(cache, "outer")) == pytest.approx((1.0, 60.0))


@pytest.mark.proves("expiry/several")
def test_expiry_policies_are_asked_one_after_the_other(clock: FakeClock) -> None:
    expiry: list[ExpiryPolicy] = [Negative("10s"), Jittered(0.5, random=lambda: 1.0)]
    with TieredCache([MemoryTier()], clock=clock, expiry=expiry, default_ttl="100s") as cache:
        cache.set("something", 1)
        cache.set("nothing", None)
        assert remaining(cache, "something") == pytest.approx(50.0)
        assert remaining(cache, "nothing") == pytest.approx(5.0)


@pytest.mark.proves("expiry/several")
def test_law_1_an_expiry_policy_that_fails_changes_nothing(clock: FakeClock) -> None:
    class Broken:
        def lifetime_s(self, new: NewValue) -> float:
            raise RuntimeError

    class Senseless:
        def lifetime_s(self, new: NewValue) -> float:
            return -5.0

    with TieredCache([MemoryTier()], clock=clock, expiry=[Broken(), Senseless()]) as cache:
        cache.set("key", 1, ttl=5)
        assert remaining(cache) == pytest.approx(5.0)


@pytest.mark.proves("expiry/max-ttl")
def test_a_tier_keeps_nothing_for_longer_than_its_own_limit(
    tmp_path: Path, clock: FakeClock
) -> None:
    with TieredCache(
        [MemoryTier(), DiskTier(tmp_path)], clock=clock, max_ttl={"memory": "10s"}
    ) as cache:
        cache.set("key", 1, ttl="1h")
        for _ in range(2):  # written, and promoted
            assert cache.lookup("key").remaining_s == pytest.approx(10.0)
            clock.advance(10.5)
            assert cache.lookup("key").tier == "disk"
    with pytest.raises(ConfigurationError, match=r"max_ttl='redis' is not a tier"):
        TieredCache([MemoryTier()], max_ttl={"redis": "1s"})


@pytest.mark.proves("expiry/negative")
@pytest.mark.parametrize("value", [None, "", b"", [], (), {}, set()])
def test_nothing_is_negative(value: Any) -> None:
    assert Negative("10s").lifetime_s(new(value)) == 10.0
    assert Negative("10s").lifetime_s(new(value, lifetime_s=5.0)) == 5.0, "never longer"


@pytest.mark.proves("expiry/negative")
@pytest.mark.parametrize("value", [0, False, 0.0, "x", [None], object()])
def test_something_is_not_negative(value: Any) -> None:
    assert Negative("10s").lifetime_s(new(value)) == 100.0
    assert Negative("10s", when=lambda _: True).lifetime_s(new(value)) == 10.0


@pytest.mark.proves("expiry/jittered")
@given(st.floats(0.0, 1.0, exclude_max=True), st.floats(1e-9, math.inf, exclude_min=True))
def test_law_3_jitter_never_lengthens_and_leaves_something(chance: float, lifetime: float) -> None:
    jittered = Jittered(0.9, random=lambda: chance).lifetime_s(new(lifetime_s=lifetime))
    assert 0 < jittered <= lifetime
    assert (jittered == math.inf) == (lifetime == math.inf)


@pytest.mark.proves("expiry/until")
@pytest.mark.parametrize(
    ("time", "zone", "now", "end"),
    [
        ("03:30", "UTC", "2026-05-01T03:00+00:00", "2026-05-01T03:30+00:00"),
        ("03:30", "UTC", "2026-05-01T03:30+00:00", "2026-05-02T03:30+00:00"),
        ("00:00", BERLIN, "2026-05-01T23:59:59+02:00", "2026-05-02T00:00+02:00"),
        ("03:30:15", BERLIN, "2026-05-01T12:00+02:00", "2026-05-02T03:30:15+02:00"),
        # Clocks go forward at 02:00 on March 29th: there is no 02:30 that day.
        ("02:30", BERLIN, "2026-03-29T00:30+01:00", "2026-03-29T01:30+00:00"),
        ("04:00", BERLIN, "2026-03-29T00:00+01:00", "2026-03-29T04:00+02:00"),
        # Clocks go back at 03:00 on October 25th: 02:30 comes twice, and the first one counts.
        ("02:30", BERLIN, "2026-10-25T00:00+02:00", "2026-10-25T02:30+02:00"),
        ("02:30", BERLIN, "2026-10-25T02:45+02:00", "2026-10-26T02:30+01:00"),
        ("04:00", BERLIN, "2026-10-25T00:00+02:00", "2026-10-25T04:00+01:00"),
    ],
)
def test_until_ends_at_the_next_such_time(time: str, zone: str, now: str, end: str) -> None:
    decided = Until(time, zone).lifetime_s(new(lifetime_s=math.inf, now_s=at(now)))
    assert decided == at(end) - at(now)
    assert Until(time, zone).lifetime_s(new(lifetime_s=0.5, now_s=at(now))) == 0.5


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Jittered(0.0), "fraction=0.0"),
        (lambda: Jittered(1.0), "fraction=1.0"),
        (lambda: Negative("0s"), "ttl='0s'"),
        (lambda: Negative("soon"), "ttl='soon'"),
        (lambda: Until("25:00"), "time='25:00'"),
        (lambda: Until("03:00+01:00"), "name a zone"),
        (lambda: Until("03:00", "Mars/Olympus"), "zone='Mars/Olympus'"),
    ],
)
def test_bad_options_name_themselves(make: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told.replace("+", r"\+")):
        make()


@pytest.mark.parametrize("tiny_s", [1e-6, 1e-3])
def test_a_lifetime_of_one_tick_ends_after_it(
    cache: TieredCache, clock: FakeClock, tiny_s: float
) -> None:
    cache.set("key", 1, ttl=tiny_s)
    assert cache.get("key") == 1
    clock.advance(tiny_s)
    assert cache.get("key") is None


def test_a_clock_far_ahead_or_behind_never_lengthens_a_lifetime(
    cache: TieredCache, clock: FakeClock
) -> None:
    cache.set("key", 1, ttl="1h")
    for wall_s in (clock.wall() + 1e9, clock.wall() - 1e9):
        clock.set_wall(wall_s)
        assert remaining(cache) <= 3600
    clock.advance(3601)
    assert cache.get("key") is None


def test_a_misspelt_option_of_the_computation_is_an_error() -> None:
    with pytest.raises(AttributeError, match=r"no 'ttl': call set_ttl\(\)"):
        current().ttl = "5m"  # type: ignore[attr-defined] # the mistake
