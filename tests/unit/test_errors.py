"""Every error has the same root, locates the failure, and shows no value."""

from __future__ import annotations

import pickle

import pytest

from tiered_cache import errors
from tiered_cache.errors import TieredCacheError, show_key

_ALL = [getattr(errors, name) for name in errors.__all__]


@pytest.mark.parametrize("kind", _ALL)
def test_all_share_one_root(kind: type[Exception]) -> None:
    assert issubclass(kind, TieredCacheError)
    assert kind.__doc__


@pytest.mark.parametrize("kind", _ALL)
def test_an_error_says_where_it_happened(kind: type[TieredCacheError]) -> None:
    error = kind("it failed", tier="disk", operation="get", key="user:1")
    assert (error.message, error.tier, error.operation, error.key) == (
        "it failed",
        "disk",
        "get",
        "user:1",
    )
    assert str(error) == "it failed [tier=disk, operation=get, key='user:1']"
    assert str(kind("it failed")) == "it failed"


def test_the_fault_is_the_message_without_its_remedy() -> None:
    error = TieredCacheError("no server; start one", remedy="start one")
    assert (error.message, error.fault) == ("no server; start one", "no server")
    assert pickle.loads(pickle.dumps(error)).fault == "no server"
    assert TieredCacheError("no server").fault == "no server"


@pytest.mark.parametrize("kind", _ALL)
def test_an_error_travels_between_processes(kind: type[TieredCacheError]) -> None:
    error = kind("it failed", tier="disk", operation="get", key="user:1")
    twin = pickle.loads(pickle.dumps(error))
    assert type(twin) is kind
    assert (str(twin), twin.tier, twin.key) == (str(error), "disk", "user:1")


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.ConfigurationError, ValueError),
        (errors.MissingExtraError, ImportError),
        (errors.InvalidKeyError, TypeError),
        (errors.InvalidKeyError, ValueError),
        (errors.InvalidDurationError, ValueError),
        (errors.InvalidSizeError, ValueError),
        (errors.CacheClosedError, RuntimeError),
        (errors.SerializationError, TypeError),
        (errors.TierUnavailableError, ConnectionError),
        (errors.TierTimeoutError, TimeoutError),
        (errors.TierTimeoutError, errors.TierUnavailableError),
        (errors.RecordRefusedError, errors.TierError),
        (errors.SignatureError, errors.RecordError),
    ],
)
def test_errors_derive_from_the_usual_builtin(
    kind: type[Exception], builtin: type[Exception]
) -> None:
    assert issubclass(kind, builtin)


@pytest.mark.proves("law-8/bad-record")
def test_law_8_a_record_that_is_bad_is_no_reason_to_open_a_breaker() -> None:
    for kind in (errors.RecordRefusedError, errors.RecordError, errors.SerializationError):
        assert not issubclass(kind, errors.TierUnavailableError)


@pytest.mark.parametrize(
    "key",
    ["key", "", "it's", 'say "x"', "a\nb\r\n", "\x1b[31m", "\x00", "é\u202e", "k" * 80, "k" * 81],
)
def test_a_key_is_shown_on_one_line(key: str) -> None:
    shown = show_key(key)
    assert shown.isprintable()
    assert len(shown) < 200


def test_a_long_key_is_shortened_and_says_so() -> None:
    shown = show_key("k" * 10_000_000)
    assert len(shown) < 200
    assert "10000000 characters" in shown
    assert show_key("k" * 80) == repr("k" * 80)
