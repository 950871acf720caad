"""The settings that a project file may set although the user does not trust it.

A program runs inside repositories that are only being analysed, so a file that lies there is a
stranger's. It may tune the cache, and may not reach: no address, path, key, tier, import, write policy,
deadline or variable. It may not keep an answer for longer than the program says either. All that is not
listed here is ignored, so that a later setting is too.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from tiered_cache.config.schema import MemorySettings
from tiered_cache_policies.policy_registry import PolicyKind, is_built_in

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["permitted"]

_MAX_ENTRIES: int = MemorySettings.model_fields["max_entries"].default
_MAX_KEYS = 100_000
_MAX_NUMBER = 1e12
_MAX_NAMES = 8
_MAX_STACKS = 20
_MAX_TABLE = 50
_TEXT = re.compile(r"[A-Za-z0-9 .:_/+-]{1,40}", re.ASCII)
_NAMESPACE = re.compile(r"[A-Za-z0-9_-]{1,24}", re.ASCII)
"""A part of a namespace, short enough for those before and after it."""

_FOR_LONGER = "sliding"
"""The refresh policy that keeps an answer for longer than the program says."""


def permitted(data: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The settings of an untrusted file that hold, and the names of those that are ignored."""
    kept: dict[str, Any] = {}
    ignored: list[str] = []
    for name, value in data.items():
        if name == "stacks" and isinstance(value, dict):
            _keep_stacks(value, kept, ignored)
        elif name in _TABLES and isinstance(value, dict) and len(value) <= _MAX_TABLE:
            _keep_table(name, value, kept, ignored)
        elif name in _SCALARS and _SCALARS[name](value):
            kept[name] = value
        else:
            ignored.append(str(name))
    return kept, ignored


def _keep_stacks(stacks: dict[Any, Any], kept: dict[str, Any], ignored: list[str]) -> None:
    for number, (name, table) in enumerate(stacks.items()):
        if number >= _MAX_STACKS or not isinstance(table, dict):
            ignored.append(f"stacks.{name}")
            continue
        own, without = permitted({key: each for key, each in table.items() if key != "stacks"})
        if own:
            kept.setdefault("stacks", {})[name] = own
        ignored += [f"stacks.{name}.{each}" for each in without]


def _keep_table(name: str, table: dict[Any, Any], kept: dict[str, Any], ignored: list[str]) -> None:
    for key, value in table.items():
        if name == "policies" and isinstance(value, dict):
            options = {each: it for each, it in value.items() if _is_option(key, each, it)}
            ignored += [f"policies.{key}.{each}" for each in value if each not in options]
            if options:
                kept.setdefault(name, {})[key] = options
        elif _TABLES[name](key, value):
            kept.setdefault(name, {})[key] = value
        else:
            ignored.append(f"{name}.{key}")


def _is_quantity(value: Any) -> bool:
    """Whether a value is a number, a duration, a size, a time of day or a zone: short, and no variable."""
    if isinstance(value, bool):
        return False
    if isinstance(value, int | float):
        return math.isfinite(value) and abs(value) <= _MAX_NUMBER
    return isinstance(value, str) and _TEXT.fullmatch(value) is not None


def _is_built_in(kind: PolicyKind, name: Any) -> bool:
    return isinstance(name, str) and name != _FOR_LONGER and is_built_in(kind, name)


def _named(kind: PolicyKind) -> Callable[[Any], bool]:
    return lambda name: _is_built_in(kind, name)


def _listed(kind: PolicyKind) -> Callable[[Any], bool]:
    def check(names: Any) -> bool:
        return (
            isinstance(names, list)
            and 0 < len(names) <= _MAX_NAMES
            and all(_is_built_in(kind, name) for name in names)
        )

    return check


def _is_of_memory(key: Any, value: Any) -> bool:
    if key == "max_entries":
        return type(value) is int and 0 < value <= _MAX_ENTRIES
    return (key == "max_bytes" and _is_quantity(value)) or (
        key == "eviction" and _is_built_in("eviction", value)
    )


def _is_option(policy: Any, option: Any, value: Any) -> bool:
    if option not in _OPTIONS.get(policy, ()) or not _is_quantity(value):
        return False
    return option != "max_keys" or (isinstance(value, int) and value <= _MAX_KEYS)


_OPTIONS: dict[Any, tuple[str, ...]] = {
    "break_even": ("factor",),
    "by_bytes": ("most",),
    "early_refresh": ("beta",),
    "jittered": ("fraction",),
    "max_bytes": ("most",),
    "min_cost": ("least",),
    "negative": ("ttl",),
    "on_hit": ("hits", "max_keys"),
    "probabilistic": ("probability",),
    "refresh_ahead": ("fraction",),
    "sampled": ("rate",),
    "second_hit": ("max_keys",),
    "ttl": ("ttl",),
    "until": ("time", "zone"),
}
"""The options by policy that are quantities. Functions as options are left out."""

_SCALARS: dict[str, Callable[[Any], bool]] = {
    "namespace": lambda value: isinstance(value, str) and _NAMESPACE.fullmatch(value) is not None,
    "default_ttl": _is_quantity,
    "promotion": _named("promotion"),
    "expiry": _listed("expiry"),
    "refreshing": _named("refreshing"),
    "statistics": _named("statistics"),
}
_TABLES: dict[str, Callable[[Any, Any], bool]] = {
    "max_ttl": lambda _, value: _is_quantity(value),
    "memory": _is_of_memory,
    "admission": lambda _, value: _listed("admission")(value),
    "policies": lambda _, __: False,
}
