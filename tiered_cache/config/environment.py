"""The layer of `TIERED_CACHE_*` variables."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from tiered_cache.config.layers import FieldPath, Layer, at
from tiered_cache.config.mistakes import Mistake
from tiered_cache.config.name_lists import exporter_names, exporter_tables
from tiered_cache.config.schema import (
    CoherenceSettings,
    DiskSettings,
    MemorySettings,
    RedisSettings,
    SingleFlightSettings,
    StackSettings,
)
from tiered_cache_policies.suggestions import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

__all__ = ["PREFIX", "SECTIONS", "RootSettings", "environment_layer"]

PREFIX = "TIERED_CACHE_"
SECTIONS: dict[str, type[BaseModel]] = {
    "memory": MemorySettings,
    "disk": DiskSettings,
    "redis": RedisSettings,
    "single_flight": SingleFlightSettings,
    "coherence": CoherenceSettings,
}
"""The models of the sections with fixed fields."""

_DELIMITER = "__"
_TABLES = ("custom", "exporters", "policies")
"""Sections of tables by name, without fixed fields."""
_NO_SETTINGS = frozenset({"CONFIG", "DASHBOARD_TOKEN", "DEBUG", "TRUST"})
"""Variables that are not settings of a stack."""


class RootSettings(StackSettings, BaseSettings):
    """All settings: those of the default stack, and the tables of named stacks."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(  # pyright: ignore[reportIncompatibleVariableOverride] # the subtype that BaseSettings declares
        env_prefix=PREFIX,
        env_nested_delimiter=_DELIMITER,
        extra="forbid",
        frozen=True,
        title="tiered-cache settings",
    )
    stacks: dict[str, dict[str, Any]] = {}


class _Variables(EnvSettingsSource):
    """Reads the variables, and leaves the text of each section as it is.

    Its base class would raise for the first invalid JSON. Here each mistake is reported by itself.
    """

    def prepare_field_value(
        self, field_name: str, field: FieldInfo, value: Any, value_is_complex: bool
    ) -> Any:
        parts = self.explode_env_vars(field_name, field, self.env_vars)
        if field_name not in _SECTION_NAMES:
            return value
        if value is None:
            return parts or None
        whole = _decode(value)
        if field_name == "exporters" and parts:
            whole = exporter_tables(whole)
        return {**whole, **parts} if isinstance(whole, dict) else whole

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        return value


_SECTION_NAMES = frozenset({*SECTIONS, *_TABLES, "admission", "max_ttl", "stacks"})


def environment_layer(stack_names: Iterable[str], mistakes: list[Mistake]) -> Layer:
    """The layer of the variables.

    Args:
        stack_names: The stacks that other layers name. A variable means the stack with its name in
            any case, because the names of variables have none.
        mistakes: A variable that is unknown, or can't be read, is added here.
    """
    names = _variable_names()
    data: dict[str, Any] = _Variables(RootSettings)()
    _decode_sections(data, (), names, mistakes)
    for path, variable in names.items():
        try:
            at(data, path)
        except KeyError:
            mistakes.append(_unknown(variable, path))
    return _with_case(Layer("environment", data, names), stack_names)


def _variable_names() -> dict[FieldPath, str]:
    """The variables of settings, each by the field that it sets."""
    names: dict[FieldPath, str] = {}
    for variable in sorted(os.environ):
        short = variable[len(PREFIX) :]
        if variable.upper().startswith(PREFIX) and short.upper() not in _NO_SETTINGS:
            names[tuple(short.lower().split(_DELIMITER))] = variable
    return names


def _decode(text: Any) -> Any:
    """The object that JSON text stands for; anything else as it is."""
    if isinstance(text, str) and text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text


def _decode_sections(
    data: dict[str, Any], path: FieldPath, names: dict[FieldPath, str], mistakes: list[Mistake]
) -> None:
    """Replace the JSON text of sections by tables. Other text is a mistake, and an empty table."""
    for key, value in list(data.items()):
        here = (*path, key)
        if not _is_section(here):
            continue
        whole = _decode(value)
        listed = exporter_names(whole) if key == "exporters" else None
        if listed is not None:
            data[key] = listed
        elif path[-1:] == ("exporters",) and isinstance(whole, dict):
            data[key] = {name: _option(each) for name, each in whole.items()}
        elif isinstance(whole, dict):
            data[key] = whole
            _decode_sections(whole, here, names, mistakes)
        else:
            mistakes.append(_not_json(here, names))
            data[key] = {}


def _option(text: Any) -> Any:
    """The number, the truth or the list that the text of an option stands for; else the text."""
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _not_json(path: FieldPath, names: dict[FieldPath, str]) -> Mistake:
    variable = next((names[path[:n]] for n in range(len(path), 0, -1) if path[:n] in names), PREFIX)
    fix = f"write {variable}='{{…}}', or a variable for each setting in it, {variable}__…"
    found, expected = "text that is not JSON", "expected a JSON object"
    return Mistake(variable, ".".join(path), found, expected, fix)


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
    expected = "expected one of " + ", ".join(sorted(known))
    fix = suggestion(variable.upper(), known | nested, similarity=0.8) or "rename it, or unset it"
    return Mistake(variable, ".".join(path), "an unknown variable", expected, fix)


def _variable(*path: str) -> str:
    return PREFIX + _DELIMITER.join(path).upper()


def _with_case(layer: Layer, stack_names: Iterable[str]) -> Layer:
    """`layer` with the names of stacks as `stack_names` spells them."""
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
