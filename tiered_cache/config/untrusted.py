"""The settings that a project file may set although the user does not trust it.

A program runs inside repositories that are only being analysed, so a file that lies there is a
stranger's. It may tune the cache, and may not reach: no address, path, key, tier, import, write policy,
deadline or variable. All that is not listed here is ignored, so that a later setting is too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache.config.field_types import name_list
from tiered_cache.config.schema import MemorySettings
from tiered_cache_policies.policy_registry import PolicyKind, is_built_in

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["permitted"]

_MAX_ENTRIES: int = MemorySettings.model_fields["max_entries"].default
_KINDS: tuple[PolicyKind, ...] = (
    "admission",
    "eviction",
    "expiry",
    "promotion",
    "refreshing",
    "statistics",
)
"""The kinds of policies that decide, and neither write nor import. Write policies are left out."""


def permitted(data: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The settings of an untrusted file that hold, and the names of those that are ignored."""
    kept: dict[str, Any] = {}
    ignored: list[str] = []
    for name, value in data.items():
        if name == "stacks" and isinstance(value, dict):
            _keep_stacks(value, kept, ignored)
        elif name in _TABLES and isinstance(value, dict):
            _keep_table(name, value, kept, ignored)
        elif name in _SCALARS and _is_plain(value) and _SCALARS[name](value):
            kept[name] = value
        else:
            ignored.append(str(name))
    return kept, ignored


def _keep_stacks(stacks: dict[Any, Any], kept: dict[str, Any], ignored: list[str]) -> None:
    for name, table in stacks.items():
        if not isinstance(name, str) or not isinstance(table, dict):
            ignored.append(f"stacks.{name}")
            continue
        own, without = permitted({key: each for key, each in table.items() if key != "stacks"})
        kept.setdefault("stacks", {})[name] = own
        ignored += [f"stacks.{name}.{each}" for each in without]


def _keep_table(name: str, table: dict[Any, Any], kept: dict[str, Any], ignored: list[str]) -> None:
    for key, value in table.items():
        if isinstance(key, str) and _is_plain(value) and _TABLES[name](key, value):
            kept.setdefault(name, {})[key] = value
        else:
            ignored.append(f"{name}.{key}")


def _is_plain(value: object) -> bool:
    """Whether a value refers to no variable, at any depth."""
    if isinstance(value, dict):
        return all(_is_plain(key) and _is_plain(each) for key, each in value.items())
    if isinstance(value, list):
        return all(_is_plain(each) for each in value)
    return not isinstance(value, str) or "${" not in value


def _always(_: object) -> bool:
    return True


def _built_in(kind: PolicyKind) -> Callable[[Any], bool]:
    return lambda name: isinstance(name, str) and is_built_in(kind, name)


def _all_built_in(kind: PolicyKind) -> Callable[[Any], bool]:
    def check(names: Any) -> bool:
        listed = name_list(names)
        return isinstance(listed, list) and all(_built_in(kind)(name) for name in listed)

    return check


def _of_memory(key: str, value: Any) -> bool:
    if key == "max_entries":
        return type(value) is int and value <= _MAX_ENTRIES
    return key == "max_bytes" or (key == "eviction" and _built_in("eviction")(value))


def _of_policies(key: str, value: Any) -> bool:
    return isinstance(value, dict) and any(is_built_in(kind, key) for kind in _KINDS)


_SCALARS: dict[str, Callable[[Any], bool]] = {
    "namespace": lambda value: isinstance(value, str),
    "default_ttl": _always,
    "stale_for": _always,
    "promotion": _built_in("promotion"),
    "expiry": _all_built_in("expiry"),
    "refreshing": _built_in("refreshing"),
    "statistics": _built_in("statistics"),
}
_TABLES: dict[str, Callable[[str, Any], bool]] = {
    "max_ttl": lambda _, __: True,
    "memory": _of_memory,
    "admission": lambda _, value: _all_built_in("admission")(value),
    "policies": _of_policies,
}
