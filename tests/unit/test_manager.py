"""The simple face."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tiered_cache import (
    CacheClosedError,
    CacheManager,
    ConfigurationError,
    Event,
    InvalidDurationError,
    InvalidKeyError,
    TierUnavailableError,
)
from tiered_cache.testing import race, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=["memory", "disk", "redis", "tiered"])
def manager(
    request: pytest.FixtureRequest, redis_url: str, namespace: str
) -> Iterator[CacheManager]:
    options: dict[str, Any] = {"namespace": namespace}
    if request.param == "redis":
        options["redis_url"] = redis_url
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
    wait_until(lambda: not cache.exists("short"), "it expires")
    assert cache.get("short") is None
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
    assert cache.delete_pattern("*") == 3
    assert sorted(other.tiered.keys()) == sorted(keys)


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


def test_a_disk_cache_is_there_in_the_next_process(namespace: str) -> None:
    with CacheManager("disk", namespace=namespace) as first:
        first.get_cache("kept").set("key", 1)
    with CacheManager("file", namespace=namespace) as second:
        assert second.get_cache("kept").get("key") == 1


def test_an_unknown_backend_lists_those_there_are() -> None:
    with pytest.raises(
        ConfigurationError,
        match=r"'floppy'.*memory, in_memory, disk, file, file_based, redis, tiered",
    ):
        CacheManager("floppy")


def test_a_redis_that_cannot_be_reached_is_an_error_and_nothing_takes_its_place() -> None:
    manager = CacheManager("redis", redis_url="redis://127.0.0.1:1/0")
    with pytest.raises(TierUnavailableError, match=r"127\.0\.0\.1:1"):
        manager.get_cache()
    assert manager.list_caches() == []


def test_a_stack_with_other_tiers_starts_without_its_redis() -> None:
    with CacheManager(redis_url="redis://127.0.0.1:1/0") as manager:
        cache = manager.get_cache()
        cache.set("key", 1)
        assert cache.get("key") == 1
        assert cache.stats.tier("redis").breaker == "open"
