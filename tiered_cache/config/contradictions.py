"""Settings of a stack that are right by themselves and contradict each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache.config.environment import SECTIONS
from tiered_cache.config.expansion import expand
from tiered_cache.config.mistakes import Mistake
from tiered_cache.config.name_lists import name_list
from tiered_cache.config.registered_tiers import BUILT_IN_TIERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tiered_cache.config.layers import FieldPath, StackLayers

__all__ = ["CONTRADICTORY", "contradictions"]

CONTRADICTORY: tuple[FieldPath, ...] = (("tiers",), ("redis",), ("redis_url",), ("custom",))
"""The fields that can contradict each other."""


def contradictions(stack: StackLayers, data: dict[str, Any]) -> Iterator[Mistake]:
    """The contradictions in `data`, the merged settings of `stack`; each field may be wrong too."""
    yield from _of_redis(stack, data)
    custom = data.get("custom")
    for name in custom if isinstance(custom, dict) else ():
        if name in BUILT_IN_TIERS:
            found = f"options of the built-in tier {name}"
            fix = f"move them to [{name}]" if name in SECTIONS else "remove them"
            expected = "expected options of registered tiers"
            yield _mistake(stack, ("custom", name), found, expected, fix)


def _of_redis(stack: StackLayers, data: dict[str, Any]) -> Iterator[Mistake]:
    redis = data.get("redis")
    own = redis.get("url") if isinstance(redis, dict) else None
    short = data.get("redis_url")
    if own and short:
        expected = "expected one of them: redis_url is short for redis.url"
        fix = "remove one of them"
        yield _mistake(stack, ("redis_url",), "redis.url as well", expected, fix)
    if "redis" in _tiers(data) and not _is_address(own) and not _is_address(short):
        found, expected = "redis, and there is no redis_url", "expected redis with a URL"
        fix = "set redis_url, such as redis://localhost:6379/0, or remove redis from the tiers"
        yield _mistake(stack, ("tiers",), found, expected, fix)


def _mistake(stack: StackLayers, path: FieldPath, found: str, allowed: str, fix: str) -> Mistake:
    return Mistake(stack.source_of(path), stack.field_name(path), found, allowed, fix)


def _tiers(data: dict[str, Any]) -> list[Any]:
    try:
        tiers = name_list(data.get("tiers"))
    except ValueError:
        return []
    return tiers if isinstance(tiers, list) else []


def _is_address(url: object) -> bool:
    """Whether the value is a URL, or is reported as a mistake by its own field."""
    if not isinstance(url, str):
        return url is not None
    try:
        return bool(expand(url))
    except ValueError:
        return True
