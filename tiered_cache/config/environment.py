"""Settings from `TIERED_CACHE_*` variables."""

from __future__ import annotations

import difflib
import json
import os
from typing import TYPE_CHECKING, Any

from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from tiered_cache.config.layers import FieldPath, Layer, at
from tiered_cache.config.mistakes import Mistake
from tiered_cache.config.schema import (
    CoherenceSettings,
    DiskSettings,
    MemorySettings,
    RedisSettings,
    SingleFlightSettings,
    StackSettings,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic.fields import FieldInfo

__all__ = ["PREFIX", "SECTIONS", "RootSettings", "read_environment"]

PREFIX = "TIERED_CACHE_"
SECTIONS: dict[str, type[Any]] = {
    "memory": MemorySettings,
    "disk": DiskSettings,
    "redis": RedisSettings,
    "single_flight": SingleFlightSettings,
    "coherence": CoherenceSettings,
}
_DELIMITER = "__"
_TABLES = ("custom", "policies")
"""Sections whose members are tables by name."""
_NO_SETTINGS = frozenset({"CONFIG", "DASHBOARD_TOKEN", "DEBUG"})


class RootSettings(StackSettings, BaseSettings):
    """All settings: those of the default stack, and named stacks that differ from it."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter=_DELIMITER,
        extra="forbid",
        frozen=True,
        title="tiered-cache settings",
    )
    stacks: dict[str, dict[str, Any]] = {}


class _Variables(EnvSettingsSource):
    """The variables, with the text of a section left as it is: each mistake is found by itself."""

    def prepare_field_value(
        self, field_name: str, field: FieldInfo, value: Any, value_is_complex: bool
    ) -> Any:
        parts = self.explode_env_vars(field_name, field, self.env_vars)
        if field_name not in _SECTION_NAMES:
            return value
        if value is None:
            return parts or None
        whole = _decode(value)
        return {**whole, **parts} if isinstance(whole, dict) else whole

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        return value


_SECTION_NAMES = frozenset({*SECTIONS, *_TABLES, "admission", "max_ttl", "stacks"})


def read_environment(mistakes: list[Mistake], stack_names: Iterable[str]) -> Layer:
    """What the variables say; what can't be read is added to `mistakes`.

    Variables are not case-sensitive, so they mean the stack of `stack_names` that has the name
    but for its case.
    """
    names: dict[FieldPath, str] = {}
    for variable in sorted(os.environ):
        short = variable[len(PREFIX) :]
        if variable.upper().startswith(PREFIX) and short.upper() not in _NO_SETTINGS:
            names[tuple(short.lower().split(_DELIMITER))] = variable
    data: dict[str, Any] = _Variables(RootSettings)()
    _decode_sections(data, (), names, mistakes)
    for path, variable in names.items():
        try:
            at(data, path)
        except KeyError:
            mistakes.append(_unknown(variable, path))
    return _with_case(Layer("environment", data, names), stack_names)


def _decode(text: Any) -> Any:
    if isinstance(text, str) and text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text


def _decode_sections(
    data: dict[str, Any], path: FieldPath, names: dict[FieldPath, str], mistakes: list[Mistake]
) -> None:
    """Turn the JSON of sections into tables; what is none is told and left out."""
    for key, value in list(data.items()):
        here = (*path, key)
        if not _is_section(here):
            continue
        whole = _decode(value)
        if isinstance(whole, dict):
            data[key] = whole
            _decode_sections(whole, here, names, mistakes)
        else:
            variable = next(
                (names[here[:n]] for n in range(len(here), 0, -1) if here[:n] in names), PREFIX
            )
            field = ".".join(here)
            fix = f"write {variable}='{{…}}', or a variable for each setting in it, {variable}__…"
            mistakes.append(Mistake(variable, field, "text that is not JSON", "a JSON object", fix))
            data[key] = {}


def _is_section(path: FieldPath) -> bool:
    if path[0] == "stacks":
        return len(path) < 3 or _is_section(path[2:])
    return (len(path) == 1 and path[0] in _SECTION_NAMES) or (len(path) == 2 and path[0] in _TABLES)


def _unknown(variable: str, path: FieldPath) -> Mistake:
    known = {_variable(name) for name in RootSettings.model_fields}
    nested = {
        _variable(section, field.alias or name)
        for section, model in SECTIONS.items()
        for name, field in model.model_fields.items()
    }
    near = difflib.get_close_matches(variable.upper(), sorted(known | nested), 1, 0.8)
    allowed = "one of " + ", ".join(sorted(known))
    fix = f"did you mean {near[0]}?" if near else "rename it, or unset it"
    return Mistake(variable, ".".join(path), "an unknown variable", allowed, fix)


def _variable(*path: str) -> str:
    return PREFIX + _DELIMITER.join(path).upper()


def _with_case(layer: Layer, stack_names: Iterable[str]) -> Layer:
    stacks = layer.data.get("stacks")
    if not isinstance(stacks, dict):
        return layer
    proper = {name.lower(): name for name in stack_names if isinstance(name, str)}
    data = {**layer.data, "stacks": {proper.get(key, key): each for key, each in stacks.items()}}
    names = {
        (path[0], proper.get(path[1], path[1]), *path[2:])
        if path[0] == "stacks" and len(path) > 1
        else path: variable
        for path, variable in layer.names.items()
    }
    return Layer(layer.name, data, names)
