"""The settings of all stacks, each value with its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tiered_cache.config.environment import RootSettings, environment_layer
from tiered_cache.config.installed import installed
from tiered_cache.config.layers import DEFAULT_STACK, Layer, StackLayers
from tiered_cache.config.mistakes import Mistake, SettingsMistakesError
from tiered_cache.config.redaction import shown
from tiered_cache.config.schema import StackSettings
from tiered_cache.config.settings_files import file_layers
from tiered_cache.config.validation import validated

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from tiered_cache.config.layers import FieldPath

__all__ = ["Resolved", "Settings", "json_schema", "load_settings"]


class Resolved(NamedTuple):
    """One setting.

    Attributes:
        field: The setting, with dots.
        value: Its value, with secrets masked.
        source: Its file or variable, `argument` or `default`.
    """

    field: str
    value: str
    source: str


class Settings:
    """The validated settings of all stacks, made by `load_settings`. Immutable."""

    def __init__(self, stacks: dict[str, StackSettings], layers: list[Layer]) -> None:
        self._stacks = stacks
        self._layers = layers

    @property
    def stack_names(self) -> tuple[str, ...]:
        """The names of the stacks, of which one is `default`."""
        return tuple(self._stacks)

    def stack(self, name: str = DEFAULT_STACK) -> StackSettings:
        """The settings of a stack.

        Raises:
            ConfigurationError: There is no stack `name`; the message lists the names.
        """
        try:
            return self._stacks[name]
        except KeyError:
            names = ", ".join(self._stacks)
            fix = "name one of them, or add it to the settings"
            mistake = Mistake("argument", "stack", repr(name), f"expected one of {names}", fix)
            raise SettingsMistakesError((mistake,)) from None

    def resolved(self, name: str = DEFAULT_STACK) -> list[Resolved]:
        """Every setting of a stack with its source. Secrets are masked."""
        stack = self.stack(name)
        layers = StackLayers(self._layers, name)
        values = {**stack.model_dump(by_alias=True), "tiers": stack.tier_names}
        return [
            Resolved(".".join(path), shown(path, value), layers.source_of(path))
            for path, value in _leaves(values)
        ]

    def __repr__(self) -> str:
        return f"<Settings of {', '.join(self._stacks)}>"


def load_settings(
    *, config_file: str | os.PathLike[str] | None = None, **arguments: Any
) -> Settings:
    """Read the settings: arguments over variables over files over defaults.

    Args:
        config_file: A TOML file to read instead of the nearest `tiered-cache.toml`.
        arguments: Settings by name, such as `tiers=["memory"]` or `memory={"max_entries": 5}`.

    Raises:
        ConfigurationError: The settings are wrong. Its `mistakes` are all of them, with sources.
    """
    mistakes: list[Mistake] = []
    given = Layer("argument", arguments, {})
    files = file_layers(config_file, mistakes)
    named = [layer.data.get("stacks") for layer in (given, *files)]
    stack_names = [name for each in named if isinstance(each, dict) for name in each]
    layers = [given, environment_layer(stack_names, mistakes), *files]
    stacks = {
        name: validated(StackLayers(layers, name), mistakes)
        for name in _stack_names(layers, mistakes)
    }
    if mistakes:
        raise SettingsMistakesError(tuple(dict.fromkeys(mistakes)))
    return Settings({name: each for name, each in stacks.items() if each}, layers)


def json_schema() -> dict[str, Any]:
    """A JSON Schema of `tiered-cache.toml`, for editors.

    `x-extensions` lists the extensions of other installed packages.
    """
    schema = RootSettings.model_json_schema(by_alias=True)
    stack = StackSettings.model_json_schema(by_alias=True)
    schema["properties"]["stacks"] = {
        "type": "object",
        "description": "Named stacks: their differences from the top level.",
        "additionalProperties": {key: stack[key] for key in ("type", "properties")}
        | {"additionalProperties": False},
    }
    found = [each.to_dict() for each in installed()]
    own = {"x-extensions": found} if found else {}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, **own}


def _stack_names(layers: list[Layer], mistakes: list[Mistake]) -> list[str]:
    """The names of the stacks that have a table, after `default`; other tables are mistakes."""
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
            fix = "write the differences from the top level below [stacks.NAME]"
            place = layer.source_of(("stacks", name)) or layer.source_of(("stacks",)) or layer.name
            mistakes.append(Mistake(place, field, found, "expected a table with a name", fix))
    return names


def _leaves(data: dict[str, Any], path: FieldPath = ()) -> Iterator[tuple[FieldPath, Any]]:
    for key, value in data.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*path, str(key)))
        else:
            yield (*path, str(key)), value
