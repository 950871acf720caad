"""The simple face."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.patience import PATIENCE
from tiered_cache import (
    Cache,
    CacheClosedError,
    CacheManager,
    ConfigurationError,
    Event,
    InvalidDurationError,
    InvalidKeyError,
    TierUnavailableError,
)
from tiered_cache.config import load_settings
from tiered_cache.testing import in_forked_child, race, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tiered_cache.testing import ChaosProxy


@pytest.fixture(params=["memory", "disk", "redis", "tiered"])
def manager(
    request: pytest.FixtureRequest, redis_url: str, namespace: str
) -> Iterator[CacheManager]:
    options: dict[str, Any] = {"namespace": namespace}
    if request.param == "redis":
        options["redis"] = {"url": redis_url, **PATIENCE}
    with CacheManager(request.param, **options) as made:
        yield made


def test_a_cache_in_five_lines(manager: CacheManager) -> None:
    cache = manager.get_cache("default")
    assert cache.set("key", {"value": (1, 2)}, ttl=3600)
    assert cache.get("key") == {"value": (1, 2)}
    assert cache.get("absent") is None
    assert cache.get("absent", 5) == 5
    assert cache.exists("key")
    assert "absent" not in cache
    assert cache.delete("key")
    assert not cache.delete("key")
    assert cache.get("key") is None


def test_statistics(manager: CacheManager) -> None:
    cache = manager.get_cache()
    assert (cache.stats.hit_rate, cache.stats.miss_rate, cache.stats.size) == (0.0, 0.0, 0)
    cache.set("a", 1)
    cache.set("b", None)
    for key in ("a", "a", "b", "absent"):
        cache.get(key)
    before = cache.get_stats()
    assert (before.hits, before.misses, before.hit_rate, before.miss_rate) == (3, 1, 0.75, 0.25)
    assert (before.size, before.evictions) == (2, 0)
    assert before.snapshot() is before
    cache.get("a")
    assert (cache.get_stats() - before).hits == 1
    assert before.to_dict()["tiers"][0]["lookups"] == 4
    cache.delete("a")
    assert cache.stats.size == 1
    cache.clear()
    assert cache.stats.size == 0


def test_a_lifetime_passes(manager: CacheManager) -> None:
    cache = manager.get_cache()
    cache.set("short", 1, ttl=0.05)
    cache.set("long", 1, ttl=100)
    cache.set("for ever", 1)
    wait_until(lambda: cache.get("short") is None, "it expires")
    assert not cache.exists("short")
    assert cache.get("long") == cache.get("for ever") == 1
    with pytest.raises(InvalidDurationError):
        cache.set("key", 1, ttl=0)


def test_deleting_by_pattern(manager: CacheManager) -> None:
    cache = manager.get_cache()
    other = manager.get_cache("other")
    keys = ["user:1", "user:2", "user:10", "users", "User:1", "a*b", "axb", "[x]"]
    for key in keys:
        cache.set(key, key)
        other.set(key, key)
    assert cache.delete_pattern("user:?") == 2
    assert cache.delete_pattern("user:*") == 1
    assert cache.delete_pattern("a[*]b") == 1
    assert cache.delete_pattern("[[]x]") == 1
    assert cache.delete_pattern("absent*") == 0
    assert sorted(cache.tiered.keys()) == ["User:1", "axb", "users"]
    assert cache.delete_pattern("[") == cache.delete_pattern("") == 0
    assert cache.delete_pattern("*") == 3
    assert sorted(other.tiered.keys()) == sorted(keys)
    with pytest.raises(InvalidKeyError, match="must be a string"):
        cache.delete_pattern(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - the point


def test_a_pattern_may_match_more_keys_than_one_call_takes(manager: CacheManager) -> None:
    cache = manager.get_cache()
    cache.tiered.set_many({f"user:{number}": number for number in range(1001)})
    cache.set("kept", 1)
    assert cache.delete_pattern("user:*") == 1001
    assert list(cache.tiered.keys()) == ["kept"]
    assert cache.get_stats().size == 1


def test_names_keep_keys_apart(manager: CacheManager) -> None:
    one, two = manager.get_cache("one"), manager.get_cache("two")
    one.set("key", 1)
    two.set("key", 2)
    assert (one.get("key"), two.get("key")) == (1, 2)
    assert manager.get_cache("one") is one
    assert manager.list_caches() == ["one", "two"]
    assert manager.has_cache("one")
    assert not manager.has_cache("three")
    assert manager.remove_cache("one")
    assert not manager.remove_cache("one")
    assert manager.list_caches() == ["two"]
    assert manager.get_cache("one").get("key") is None
    manager.clear_all()
    assert two.get("key") is None
    with pytest.raises(InvalidKeyError):
        manager.get_cache("../up")


def test_a_closed_manager_says_so(manager: CacheManager) -> None:
    cache = manager.get_cache()
    manager.close()
    manager.close()
    with pytest.raises(CacheClosedError):
        manager.get_cache()
    with pytest.raises(CacheClosedError):
        cache.get("key")


def test_threads_get_the_same_cache(manager: CacheManager) -> None:
    assert len({id(each) for each in race(16, lambda _: manager.get_cache("shared"))}) == 1


def test_a_cache_that_is_made_while_the_manager_closes_is_closed_too(
    manager: CacheManager,
) -> None:
    def make_or_close(number: int) -> Cache | None:
        if number == 0:
            manager.close()
            return None
        try:
            return manager.get_cache(f"cache{number}")
        except CacheClosedError:
            return None

    made = [cache for cache in race(12, make_or_close) if cache is not None]
    for cache in made:
        with pytest.raises(CacheClosedError):
            cache.get("key")
    assert manager.list_caches() == []


def test_a_forked_child_has_the_caches(manager: CacheManager) -> None:
    manager.get_cache().set("key", 1)

    def child() -> bool:
        return manager.get_cache().get("key") == 1 and manager.get_cache("new").set("key", 2)

    assert in_forked_child(child)
    with manager._maker("busy"):  # a thread of the parent that the child does not have
        assert in_forked_child(lambda: manager.get_cache("busy").set("key", 1))


def test_events(manager: CacheManager) -> None:
    cache = manager.get_cache()
    events: list[Event] = []
    remove = cache.on_event(events.append)
    cache.set("key", 1)
    remove()
    cache.get("key")
    assert {each.kind.value for each in events} == {"write"}


@pytest.mark.parametrize(
    ("alias", "backend"),
    [("in_memory", "memory"), ("file", "disk"), ("file_based", "disk"), (None, "tiered")],
)
def test_backends_have_other_names(alias: str | None, backend: str) -> None:
    with CacheManager(alias) as manager:
        assert manager.backend == backend
        names = [tier.name for tier in manager.get_cache().stats.tiers]
        assert names == (["memory", "disk"] if backend == "tiered" else [backend])


def test_settings_may_be_given() -> None:
    settings = load_settings(namespace="given", memory={"max_entries": 7}, default_ttl=50)
    with CacheManager("memory", settings=settings) as manager:
        cache = manager.get_cache("users")
        assert cache.stats.tiers[0].max_entries == 7
        cache.set("key", 1)
        assert cache.tiered.lookup("key").remaining_s <= 50
    with CacheManager(settings=settings) as manager:
        assert [tier.name for tier in manager.get_cache().stats.tiers] == ["memory", "disk"]


def test_options_are_settings_by_name() -> None:
    with CacheManager("memory", memory={"max_entries": 2}) as manager:
        cache = manager.get_cache()
        for number in range(5):
            cache.set(str(number), number)
        assert (cache.stats.size, cache.stats.evictions) == (2, 3)
    with pytest.raises(ConfigurationError, match="max_entries"):
        CacheManager("memory", memory={"max_entries": 0})


def test_a_file_names_the_tiers_of_a_tiered_cache_only() -> None:
    Path("tiered-cache.toml").write_text("tiers = ['memory', 'redis']\ndefault_ttl = 50\n")
    with CacheManager("memory") as manager:
        cache = manager.get_cache()
        assert [tier.name for tier in cache.stats.tiers] == ["memory"]
        cache.set("key", 1)
        assert cache.tiered.lookup("key").remaining_s <= 50
    with pytest.raises(ConfigurationError, match="redis_url"):
        CacheManager("tiered")


@pytest.mark.parametrize(
    ("backend", "options", "told"),
    [
        ("memory", {"tiers": ["disk"]}, "leave tiers= out"),
        ("", {}, "is not a backend"),
        (["disk"], {}, "is not a backend"),
        (None, {"no_such": 1}, "no_such"),
    ],
)
def test_arguments_that_make_no_manager(backend: Any, options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        CacheManager(backend, **options)


def test_settings_and_options_are_one_too_many() -> None:
    with pytest.raises(ConfigurationError, match="only one of them"):
        CacheManager("memory", settings=load_settings(), namespace="x")


def test_a_disk_cache_is_there_in_the_next_process(namespace: str) -> None:
    with CacheManager("disk", namespace=namespace) as first:
        first.get_cache("kept").set("key", 1)
    with CacheManager("file", namespace=namespace) as second:
        assert second.get_cache("kept").get("key") == 1


@pytest.mark.proves("configuration/backends")
def test_an_unknown_backend_lists_the_known_ones() -> None:
    with pytest.raises(
        ConfigurationError,
        match=r"'floppy'.*memory, in_memory, disk, file, file_based, redis, tiered",
    ):
        CacheManager("floppy")


@pytest.mark.proves("configuration/backends")
def test_a_redis_that_cannot_be_reached_is_an_error_and_nothing_takes_its_place() -> None:
    manager = CacheManager("redis", redis_url="redis://127.0.0.1:1/0")
    with pytest.raises(TierUnavailableError, match=r"127\.0\.0\.1:1"):
        manager.get_cache()
    assert manager.list_caches() == []


def test_without_an_address_redis_is_the_one_on_this_host() -> None:
    without: list[dict[str, Any]] = [{}, {"redis_url": None}]
    for options in without:
        stack = CacheManager("redis", **options)._stack
        assert stack.redis_address == "redis://localhost:6379/0"


def test_a_cache_that_cannot_be_cleared_is_closed_all_the_same(
    redis_url: str, namespace: str, chaos_proxy: Callable[[str], ChaosProxy]
) -> None:
    proxy = chaos_proxy(redis_url)
    manager = CacheManager(
        "redis", redis={"url": proxy.url, **PATIENCE}, namespace=namespace, strict=True
    )
    cache = manager.get_cache()
    cache.set("key", 1)
    proxy.refuse()
    with pytest.raises(TierUnavailableError):
        manager.remove_cache("default")
    assert manager.list_caches() == []
    with pytest.raises(CacheClosedError):
        cache.get("key")
    proxy.forward()
    with CacheManager("redis", redis={"url": proxy.url, **PATIENCE}, namespace=namespace) as other:
        assert other.get_cache().delete_pattern("*") == 1


@pytest.mark.proves("configuration/starts-without-redis")
def test_a_stack_with_other_tiers_starts_without_its_redis() -> None:
    with CacheManager(redis_url="redis://127.0.0.1:1/0") as manager:
        cache = manager.get_cache()
        cache.set("key", 1)
        assert cache.get("key") == 1
        assert cache.stats.tier("redis").breaker == "open"
