"""Mistakes of newcomers: each is a clear error at the moment it is made."""

from __future__ import annotations

import inspect
import logging
import re
import subprocess
import sys
import traceback
from typing import TYPE_CHECKING, Any

import anyio
import pytest

import tiered_cache
from tiered_cache import (
    AsyncTieredCache,
    CacheManager,
    ConfigurationError,
    DiskTier,
    InvalidDurationError,
    InvalidKeyError,
    MemoryTier,
    RedisTier,
    TieredCache,
    TierUnavailableError,
    tiered,
)
from tiered_cache.policies import LRU
from tiered_cache.testing.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def cache() -> Iterator[TieredCache]:
    with TieredCache([MemoryTier()]) as made:
        yield made


async def _analyze() -> int:
    return 1


def test_a_value_in_place_of_a_function_is_refused(cache: TieredCache) -> None:
    value: Any = 42
    with pytest.raises(ConfigurationError, match=r"compute=42 must be a function .* set\('k'"):
        cache.get_or_compute("k", value)


def test_swapped_key_and_function_are_recognised(cache: TieredCache) -> None:
    key: Any = lambda: 1  # noqa: E731
    compute: Any = "k"
    with pytest.raises(ConfigurationError, match="key and compute are swapped"):
        cache.get_or_compute(key, compute)


def test_an_async_function_on_the_synchronous_face_names_the_other_face(
    cache: TieredCache,
) -> None:
    with pytest.raises(ConfigurationError, match="AsyncTieredCache"):
        _ = cache.get_or_compute("k", _analyze)
    assert "k" not in cache


def test_a_synchronous_function_on_the_async_face_is_told(cache: TieredCache) -> None:
    async def main() -> None:
        compute: Any = lambda: 1  # noqa: E731
        with pytest.raises(ConfigurationError, match=r"returned int.* async function"):
            await AsyncTieredCache.of(cache).get_or_compute("k", compute)
        with pytest.raises(ConfigurationError, match="compute=42 must be a function"):
            await AsyncTieredCache.of(cache).get_or_compute("k", compute := 42)  # type: ignore[arg-type] # the mistake

    anyio.run(main)


def test_an_option_of_single_calls_names_that_of_the_cache() -> None:
    make: Any = TieredCache
    with pytest.raises(ConfigurationError, match="write default_ttl"):
        make([MemoryTier()], ttl="1h")


@pytest.mark.parametrize("face", [TieredCache, AsyncTieredCache])
def test_an_unknown_option_gets_a_suggestion(face: Any) -> None:
    with pytest.raises(
        ConfigurationError, match=rf"^{face.__name__}.*did you mean 'default_ttl'\?"
    ):
        face([MemoryTier()], default_tll="1h")
    with pytest.raises(ConfigurationError, match=r"no option 'xyz': expected one of tiers, name"):
        face([MemoryTier()], xyz=1)
    assert "stale_for" in inspect.signature(face).parameters


def test_a_subclass_may_have_options_of_its_own() -> None:
    class Own(TieredCache):
        def __init__(self, *, entries: int) -> None:
            super().__init__([MemoryTier(entries)])

    with Own(entries=3) as cache:
        assert cache.set("key", 1).stored


def test_an_unknown_eviction_policy_gets_a_suggestion() -> None:
    with pytest.raises(ConfigurationError, match=r"^did you mean 'lru'\? 'lur' is not a policy"):
        MemoryTier(eviction="lur")


def test_a_cached_function_as_key_names_its_refresh(cache: TieredCache) -> None:
    key: Any = cache.cached(abs)
    compute: Any = 1
    with pytest.raises(ConfigurationError, match=r"refresh a cached call, write abs\.refresh\(1\)"):
        cache.refresh(key, compute)


def test_a_key_that_is_not_a_function_fails_when_decorating(cache: TieredCache) -> None:
    key: Any = "x"
    with pytest.raises(ConfigurationError, match="key='x' is not a function: expected a function"):
        cache.cached(key=key)(len)
    with pytest.raises(ConfigurationError, match="key='x' is not a function: expected a function"):
        AsyncTieredCache.of(cache).cached(key=key)(_analyze)


@pytest.mark.parametrize("name", ["a/b", "", ".a", 5])
def test_the_error_for_a_namespace_shows_the_name(cache: TieredCache, name: Any) -> None:
    with pytest.raises(InvalidKeyError, match=f"^{re.escape(repr(name))} is not .* expected 1 to"):
        cache.namespace(name)


def test_a_cache_is_no_decorator_and_says_which_one_is() -> None:
    decorator: Any = tiered
    with pytest.raises(ConfigurationError, match=r"@tiered\.cached"):
        decorator(len)


def test_importing_the_decorator_names_it() -> None:
    with pytest.raises(ImportError, match=r"@tiered\.cached"):
        exec("from tiered_cache import cached")
    assert not hasattr(tiered_cache, "something_else")


def test_a_wrong_ttl_fails_when_decorating(cache: TieredCache) -> None:
    with pytest.raises(InvalidDurationError, match="60sec"):
        cache.cached(ttl="60sec")(len)
    with pytest.raises(InvalidDurationError, match="60sec"):
        AsyncTieredCache.of(cache).cached(ttl="60sec")(_analyze)


def test_a_key_function_must_return_a_string(cache: TieredCache) -> None:
    key: Any = lambda x: x  # noqa: E731
    cached: Any = cache.cached(key=key)(abs)
    with pytest.raises(InvalidKeyError, match="must return a string, not int"):
        cached(3)


def test_repr_names_the_stack_and_its_tiers(tmp_path: Path) -> None:
    with TieredCache([MemoryTier(), DiskTier(tmp_path)], namespace="lint") as cache:
        assert repr(cache) == "<TieredCache lint: memory, disk>"
        assert repr(cache.namespace("a").namespace("b")) == "<TieredCache lint/a/b: memory, disk>"
    deferred = TieredCache.deferred(lambda: TieredCache([MemoryTier()]))
    assert repr(deferred) == "<TieredCache: not built yet>"


def test_repr_of_a_tier_names_its_place_and_bounds(tmp_path: Path) -> None:
    tier = DiskTier(tmp_path, "5MiB", name="d")
    assert repr(tier) == f"<DiskTier d: {tmp_path}, at most 5 MiB>"
    assert repr(MemoryTier()) == "<MemoryTier memory: at most 10,000 entries>"
    memory = MemoryTier(7, "1KiB")
    assert repr(memory) == "<MemoryTier memory: at most 7 entries, 1 KiB>"
    assert repr(MemoryTier(eviction=LRU(100))) == "<MemoryTier memory: at most 100 by LRUCache>"
    redis = RedisTier("redis://user:secret@host:6379/0")
    assert repr(redis) == "<RedisTier redis: host:6379, at most 64 MiB a value>"


def test_repr_of_a_manager_names_its_tiers() -> None:
    with CacheManager("memory", namespace="lint") as manager:
        manager.get_cache("a")
        assert repr(manager) == "<CacheManager lint: memory; caches made: 1>"


def test_hits_and_misses_are_logged_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "tiered_cache"), TieredCache([MemoryTier()]) as cache:
        assert cache.get("key") is None
        cache.set("key", 1)
        assert cache.get("key") == 1
    lines = [each.getMessage() for each in caplog.records if each.levelno == logging.DEBUG]
    assert lines == ["miss in tier 'memory': 'key': not there", "hit in tier 'memory': 'key'"]


def test_without_debug_nothing_is_logged_and_hits_stay_inlined(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "tiered_cache"), TieredCache([MemoryTier()]) as cache:
        caplog.clear()  # of the line that says how far single flight reaches
        cache.set("key", 1)
        assert [cache.get("key") for _ in range(20)] == [1] * 20
        assert cache._source.core().hits.now().hits > 0
    assert not caplog.records


def test_a_redis_backend_without_a_server_gives_advice_in_few_frames() -> None:
    manager = CacheManager("redis", redis_url=f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(TierUnavailableError, match="start a server") as raised:
        manager.get_cache()
    shown = "".join(traceback.format_exception(raised.value))
    assert shown.count("  File ") <= 3


def test_a_star_import_needs_no_extra() -> None:
    code = (
        "import sys; sys.modules['anyio'] = None\n"
        "from tiered_cache import *\n"
        "try: AsyncTieredCache([MemoryTier()])\n"
        "except Exception as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert "pip install 'tiered-cache[async]'" in done.stdout
