"""A mistake of a caller raises a clear error at the call that made it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tiered_cache import (
    CacheClosedError,
    ConfigurationError,
    DiskTier,
    InvalidKeyError,
    MemoryTier,
    NullTier,
    TieredCache,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def cache() -> Iterator[TieredCache]:
    with TieredCache([MemoryTier()]) as made:
        yield made


WRONG: dict[str, tuple[Callable[[Any], object], str]] = {
    "a tier instead of a list": (lambda _: TieredCache(_(MemoryTier())), r"write \[MemoryTier"),
    "a tier by its name": (
        lambda _: TieredCache(_(["memory"])),
        "'memory' is a name, not a tier: expected an object",
    ),
    "a tier that was not made": (
        lambda _: TieredCache(_([NullTier])),
        r"^NullTier is a class, .* write NullTier\(",
    ),
    "an object that is not a tier": (
        lambda _: TieredCache(_([object()])),
        "is not a tier, because it lacks name, reach, .*contracts.BaseTier$",
    ),
    "no tiers": (lambda _: TieredCache(_([])), r"^tiers=\[\] is empty: .* such as MemoryTier\("),
    "the slow tier first": (
        lambda _: TieredCache([DiskTier("unused"), MemoryTier()]),
        r"tier 'memory' \(reach: process\) stands below 'disk' \(reach: host\): .* put 'memory' first",
    ),
    "text for a number": (lambda _: MemoryTier(_("x")), "max_entries='x'"),
    "a fraction of an entry": (lambda _: MemoryTier(_(2.5)), "max_entries=2.5"),
    "a flag for a number": (lambda _: MemoryTier(_(True)), "max_entries=True"),
    "no eviction policy": (lambda _: MemoryTier(eviction=_(5)), "eviction=5"),
    "no path": (lambda _: DiskTier(_(5)), "path=5"),
}


@pytest.mark.parametrize(("make", "said"), WRONG.values(), ids=WRONG)
def test_a_stack_that_can_not_be_is_a_configuration_error(
    make: Callable[[Any], object], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        make(lambda wrong: wrong)


@pytest.mark.proves("keys/valid-tag")
@pytest.mark.parametrize("tag", ["a\ud800", "long" * 20_000, "\x1fa"], ids=["text", "size", "mark"])
def test_a_tag_that_no_store_can_hold_is_refused(cache: TieredCache, tag: str) -> None:
    with pytest.raises(InvalidKeyError):
        cache.set("key", 1, tags={tag})
    with pytest.raises(InvalidKeyError):
        cache.get_or_compute("key", lambda: 1, tags=[tag])
    assert "key" not in cache


def test_a_prefix_that_is_no_text_is_refused(cache: TieredCache) -> None:
    for wrong in (None, 5, ["a"]):
        with pytest.raises(InvalidKeyError, match="prefix must be a string"):
            cache.keys(wrong)  # type: ignore[arg-type] # on purpose
        with pytest.raises(InvalidKeyError, match="prefix must be a string"):
            cache.invalidate_prefix(wrong)  # type: ignore[arg-type] # on purpose


def test_a_listener_that_can_not_be_called_is_refused(cache: TieredCache) -> None:
    with pytest.raises(ConfigurationError, match="must be a function that takes an event"):
        cache.on_event("print")  # type: ignore[arg-type] # on purpose


@pytest.mark.proves("removing/closed")
def test_the_keys_of_a_closed_cache_are_not_listed(tmp_path: Path) -> None:
    cache = TieredCache([MemoryTier(), DiskTier(tmp_path)])
    cache.set("key", 1)
    cache.close()
    with pytest.raises(CacheClosedError):
        list(cache.keys())
