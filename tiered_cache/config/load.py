"""From layers to validated settings, each with the source that it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from tiered_cache.config.environment import RootSettings
from tiered_cache.config.explain import (
    DEFAULT_STACK,
    contradictions,
    field_path,
    is_own,
    show,
    source,
    to_mistake,
)
from tiered_cache.config.layers import Layer, overlay
from tiered_cache.config.mistakes import Mistake, SettingsMistakesError
from tiered_cache.config.schema import StackSettings
from tiered_cache.config.sources import read_layers

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

    from tiered_cache.config.layers import FieldPath

__all__ = ["Resolved", "Settings", "json_schema", "load_settings"]


_TOGETHER: tuple[FieldPath, ...] = (("tiers",), ("redis",), ("redis_url",), ("custom",))


class Resolved(NamedTuple):
    """A setting: its field with dots, its value as it may be shown, and where it came from."""

    field: str
    value: str
    source: str


class Settings:
    """All settings, validated.

    Made by `load_settings`. Immutable.
    """

    def __init__(self, stacks: dict[str, StackSettings], layers: list[Layer]) -> None:
        self._stacks = stacks
        self._layers = layers

    @property
    def stack_names(self) -> tuple[str, ...]:
        """The stacks that there are; `default` always is one."""
        return tuple(self._stacks)

    def stack(self, name: str = DEFAULT_STACK) -> StackSettings:
        """The settings of a stack.

        Raises:
            ConfigurationError: There is none of this name; the message lists those there are.
        """
        try:
            return self._stacks[name]
        except KeyError:
            names = ", ".join(self._stacks)
            fix = "name one of them, or add it to the settings"
            mistake = Mistake("argument", "stack", repr(name), f"one of {names}", fix)
            raise SettingsMistakesError((mistake,)) from None

    def resolved(self, name: str = DEFAULT_STACK) -> list[Resolved]:
        """Every setting of a stack, with the source of each; secrets are masked."""
        stack = self.stack(name)
        values = {**stack.model_dump(by_alias=True), "tiers": stack.tier_names}
        return [
            Resolved(".".join(path), show(path, value), source(self._layers, name, path))
            for path, value in _leaves(values)
        ]

    def __repr__(self) -> str:
        return f"<Settings of {', '.join(self._stacks)}>"


def load_settings(
    *, config_file: str | os.PathLike[str] | None = None, **arguments: Any
) -> Settings:
    """Read the settings: arguments, then variables, then files, then defaults.

    Args:
        config_file: A TOML file to be read instead of the nearest `tiered-cache.toml`.
        arguments: Settings by name, such as `tiers=["memory"]` or `memory={"max_entries": 5}`.

    Raises:
        ConfigurationError: Something is wrong; it has all `mistakes`, each with its source.
    """
    mistakes: list[Mistake] = []
    layers = read_layers(arguments, config_file, mistakes)
    names = _stack_names(layers, mistakes)
    stacks = {name: _validate(layers, name, mistakes) for name in names}
    if mistakes:
        raise SettingsMistakesError(tuple(dict.fromkeys(mistakes)))
    return Settings({name: each for name, each in stacks.items() if each}, layers)


def json_schema() -> dict[str, Any]:
    """A JSON Schema of `tiered-cache.toml`, for editors."""
    schema = RootSettings.model_json_schema(by_alias=True)
    stack = StackSettings.model_json_schema(by_alias=True)
    schema["properties"]["stacks"] = {
        "type": "object",
        "description": "Named stacks: what differs from the top level.",
        "additionalProperties": {key: stack[key] for key in ("type", "properties")}
        | {"additionalProperties": False},
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _stack_names(layers: list[Layer], mistakes: list[Mistake]) -> list[str]:
    names = [DEFAULT_STACK]
    for layer in layers:
        stacks = layer.data.get("stacks", {})
        tables = stacks if isinstance(stacks, dict) else {"": None}
        for name, table in tables.items():
            if isinstance(name, str) and isinstance(table, dict):
                names += [] if name in names else [name]
                continue
            field = f"stacks.{name}" if name else "stacks"
            found = f"a value of type {type(table if name else stacks).__name__}"
            fix = "write what differs from the top level below [stacks.NAME]"
            where = layer.source_of(("stacks", name)) or layer.source_of(("stacks",)) or layer.name
            mistakes.append(Mistake(where, field, found, "a table with a name", fix))
    return names


def _validate(layers: list[Layer], name: str, mistakes: list[Mistake]) -> StackSettings | None:
    data: dict[str, Any] = {} if name == DEFAULT_STACK else {"namespace": name}
    inherited = {"stacks"} if name == DEFAULT_STACK else {"stacks", "namespace"}
    for layer in reversed(layers):
        data = overlay(data, {k: v for k, v in layer.data.items() if k not in inherited})
    for layer in reversed(layers):
        stacks = layer.data.get("stacks")
        own = stacks.get(name) if isinstance(stacks, dict) else None
        data = overlay(data, own if isinstance(own, dict) else {})
    found = list(contradictions(layers, name, data))
    if name != DEFAULT_STACK and all(_is_inherited(layers, name, each) for each in _TOGETHER):
        found.clear()
    try:
        stack = StackSettings.model_validate(data)
    except ValidationError as error:
        # What a named stack inherits is told once, for the default stack.
        found += [
            _name_mistake(layers, name, each)
            if name != DEFAULT_STACK and field_path(each) == ("namespace",)
            else to_mistake(layers, name, each)
            for each in error.errors()
            if name == DEFAULT_STACK or not _is_inherited(layers, name, field_path(each))
        ]
        stack = None
    mistakes += found
    return stack


def _is_inherited(layers: list[Layer], name: str, path: FieldPath) -> bool:
    """Whether the default stack has the same field from the same place."""
    if path == ("namespace",) or is_own(layers, name, path):
        return False
    return not is_own(layers, DEFAULT_STACK, path)


def _name_mistake(layers: list[Layer], name: str, error: ErrorDetails) -> Mistake:
    if is_own(layers, name, ("namespace",)):
        return to_mistake(layers, name, error)
    return Mistake(
        source(layers, name, ()),
        f"stacks.{name}",
        repr(name),
        "a name that can be a namespace: up to 64 letters, digits, _, - and, not in front, .",
        "rename the stack, or give it a namespace",
    )


def _leaves(data: dict[str, Any], path: FieldPath = ()) -> Iterator[tuple[FieldPath, Any]]:
    for key, value in data.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*path, str(key)))
        else:
            yield (*path, str(key)), value
