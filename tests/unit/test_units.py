"""Durations and sizes: the accepted forms, and the messages for the others."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiered_cache import DiskTier, MemoryTier, RedisTier, TieredCache
from tiered_cache.config import SettingsMistakesError, load_settings
from tiered_cache.errors import InvalidDurationError, InvalidSizeError, TieredCacheError
from tiered_cache.units import parse_duration, parse_lifetime, parse_size

_CENTURY_S = 100 * 365.25 * 86400


@pytest.mark.proves("lifetimes/durations")
@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (0, 0.0),
        (1, 1.0),
        (0.25, 0.25),
        (-0.0, 0.0),
        (dt.timedelta(minutes=2, milliseconds=5), 120.005),
        ("250ms", 0.25),
        ("1s", 1.0),
        ("10m", 600.0),
        ("10min", 600.0),
        ("1.5h", 5400.0),
        ("1d", 86400.0),
        ("2w", 1209600.0),
        ("60", 60.0),
        (" 0.5 ", 0.5),
        ("0", 0.0),
        (" 3 H ", 10800.0),
        (_CENTURY_S, _CENTURY_S),
    ],
)
def test_a_duration_is_understood(written: Any, seconds: float) -> None:
    found = parse_duration(written)
    assert type(found) is float
    assert found == pytest.approx(seconds, abs=1e-9)


@pytest.mark.proves("lifetimes/invalid")
@pytest.mark.parametrize(
    ("written", "says"),
    [
        (math.nan, "not a duration"),
        (-1, "not a duration"),
        (-1e-9, "not a duration"),
        (-math.inf, "not a duration"),
        (dt.timedelta(seconds=-1), "not a duration"),
        (math.inf, "write at most 100 years"),
        (1e300, "write at most 100 years"),
        (10**400, "write at most 100 years"),
        (_CENTURY_S + 1, "write at most 100 years"),
        ("9" * 400 + "s", "write at most 100 years"),
        ("9" * 400, "write at most 100 years"),
        (dt.timedelta.max, "write at most 100 years"),
        ("", "not a duration"),
        (".5", "such as '10m'"),
        ("never", "such as '10m'"),
        ("ten minutes", "such as '10m'"),
        ("10 parsecs", "such as '10m'"),
        ("-1s", "such as '10m'"),
        ("1e3s", "such as '10m'"),
        ("nan", "such as '10m'"),
        ("10m5s", "such as '10m'"),
        ("\u0663s", "such as '10m'"),
        ("10m\x00", "such as '10m'"),
        (True, "not bool"),
        (False, "not bool"),
        (None, "not NoneType"),
        (b"10m", "not bytes"),
        ([10], "not list"),
        (1j, "not complex"),
    ],
)
def test_an_invalid_duration_is_refused_with_a_way_out(written: Any, says: str) -> None:
    with pytest.raises(InvalidDurationError) as caught:
        parse_duration(written, name="ttl")
    assert says in str(caught.value)
    assert str(caught.value).startswith("ttl")


def test_no_lifetime_is_no_limit() -> None:
    assert parse_lifetime(None) == math.inf
    assert parse_lifetime(math.inf) == math.inf
    assert parse_lifetime("10m") == 600.0


@pytest.mark.parametrize(
    "bad",
    [
        *(1e300, 10**400, _CENTURY_S + 1, "9" * 400 + "s", "9" * 400, dt.timedelta.max),
        *("never", "Never", " none ", "inf", "infinity", "forever"),
    ],
)
def test_a_lifetime_without_a_limit_is_written_as_none(bad: Any) -> None:
    with pytest.raises(InvalidDurationError, match=r"^ttl.*: use None for no limit$"):
        parse_lifetime(bad)


def test_the_error_for_ttl_never_names_none() -> None:
    with TieredCache([MemoryTier()]) as cache:
        with pytest.raises(InvalidDurationError, match=r"^ttl='never' .*use None for no limit$"):
            cache.set("key", 1, ttl="never")
        assert not cache.exists("key")


@pytest.mark.parametrize(("written", "seconds"), [("60", 60.0), ("0.5", 0.5), (" 60 ", 60.0)])
def test_a_number_without_a_unit_is_seconds_in_code_and_in_settings(
    written: str, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert parse_lifetime(written) == parse_duration(written) == seconds
    monkeypatch.setenv("TIERED_CACHE_DEFAULT_TTL", written)
    for settings in (load_settings(), load_settings(default_ttl=written)):
        found = settings.stack().default_ttl
        assert found is not None
        assert parse_lifetime(found) == seconds


@pytest.mark.proves("lifetimes/zero")
@pytest.mark.parametrize("zero", [0, 0.0, -0.0, "0s", "0ms", "0", dt.timedelta(0)])
def test_a_lifetime_of_zero_is_refused_with_an_explanation(zero: Any) -> None:
    with pytest.raises(
        InvalidDurationError, match=r"expire at once: expected more than zero.*None.*delete"
    ):
        parse_lifetime(zero)


def test_a_negative_lifetime_or_duration_is_told_its_least_value() -> None:
    with pytest.raises(InvalidDurationError, match=r"^ttl=-3 .*expected more than zero seconds$"):
        parse_lifetime(-3)
    with pytest.raises(InvalidDurationError, match=r"^--ttl='never' .*: leave --ttl out$"):
        parse_lifetime("never", name="--ttl", no_limit="leave --ttl out")
    with pytest.raises(InvalidDurationError, match=r"^size_s=-1 .*expected zero seconds or more$"):
        parse_duration(-1, name="size_s")


@pytest.mark.proves("lifetimes/durations")
@pytest.mark.parametrize("bad", [math.nan, -1, True, "soon", 1e300, -math.inf])
def test_a_lifetime_is_a_duration(bad: Any) -> None:
    with pytest.raises(InvalidDurationError, match="ttl"):
        parse_lifetime(bad)


@pytest.mark.parametrize(
    ("written", "size"),
    [
        (1, 1),
        (2**60, 2**60),
        ("1", 1),
        ("4096", 4096),
        ("100B", 100),
        ("8MB", 8_000_000),
        ("512MiB", 512 * 2**20),
        ("1.5 gib", 3 * 2**29),
        ("2tb", 2 * 10**12),
    ],
)
def test_a_size_is_understood(written: Any, size: int) -> None:
    assert parse_size(written) == size


@pytest.mark.parametrize(
    "written",
    [0, -1, "0", "0.5B", "-1MB", "", "MiB", "1 ZiB", "12 34", True, None, 1.5, math.inf, b"1MB"],
)
def test_an_invalid_size_is_refused(written: Any) -> None:
    with pytest.raises(InvalidSizeError, match=r"^max_bytes"):
        parse_size(written, name="max_bytes")


@pytest.mark.parametrize("written", ["9" * 400 + "TB", 2**63, 10**400])
def test_a_size_that_nothing_can_hold_is_refused(written: Any) -> None:
    with pytest.raises(InvalidSizeError, match=r"^max_bytes.*8 EiB"):
        parse_size(written, name="max_bytes")


def test_a_bad_size_is_a_size_error_wherever_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not issubclass(InvalidSizeError, InvalidDurationError)
    with pytest.raises(InvalidSizeError, match=r"^max_bytes='x' is not a size"):
        MemoryTier(max_bytes="x")
    with pytest.raises(InvalidSizeError, match=r"^max_bytes='x' is not a size"):
        DiskTier("cache", max_bytes="x")
    with pytest.raises(InvalidSizeError, match=r"^max_value_bytes='x' is not a size"):
        RedisTier("redis://localhost", max_value_bytes="x")
    monkeypatch.setenv("TIERED_CACHE_MEMORY__MAX_BYTES", "x")
    with pytest.raises(
        SettingsMistakesError, match=r"memory\.max_bytes: found 'x', which is not a size"
    ):
        load_settings()


@given(st.text() | st.floats() | st.integers() | st.booleans() | st.timedeltas() | st.none())
def test_anything_is_a_duration_or_one_of_our_errors(written: Any) -> None:
    for parse in (parse_duration, parse_lifetime, parse_size):
        try:
            found = parse(written)
        except TieredCacheError:
            continue
        assert found >= 0
