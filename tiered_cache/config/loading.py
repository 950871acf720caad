"""From layers to validated settings, each with the source that it came from."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import SecretStr, ValidationError

from tiered_cache.config.mistakes import Mistake, SettingsMistakesError
from tiered_cache.config.schema import (
    DiskSettings,
    MemorySettings,
    RedisSettings,
    StackSettings,
)
from tiered_cache.config.sources import Layer, RootSettings, read_layers
from tiered_cache.config.text import MASK, mask_url

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

    from tiered_cache.config.sources import FieldPath

__all__ = ["Resolved", "Settings", "json_schema", "load_settings"]

DEFAULT_STACK = "default"
_SECRETS = frozenset({"signing_key"})
_URLS = frozenset({"url", "redis_url"})
_MODELS: dict[str, type[Any]] = {
    "memory": MemorySettings,
    "disk": DiskSettings,
    "redis": RedisSettings,
}


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
            mistake = Mistake("argument", "stack", repr(name), f"one of {names}")
            raise SettingsMistakesError((mistake,)) from None

    def resolved(self, name: str = DEFAULT_STACK) -> list[Resolved]:
        """Every setting of a stack, with the source of each; secrets are masked."""
        return [
            Resolved(".".join(path), _show(path, value), _source(self._layers, name, path))
            for path, value in _leaves(self.stack(name).model_dump(by_alias=True))
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
    names = [DEFAULT_STACK]
    for layer in layers:
        stacks = layer.data.get("stacks", {})
        names += [name for name in stacks if name not in names] if isinstance(stacks, dict) else []
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


def _validate(layers: list[Layer], name: str, mistakes: list[Mistake]) -> StackSettings | None:
    data: dict[str, Any] = {} if name == DEFAULT_STACK else {"namespace": name}
    general = {} if name == DEFAULT_STACK else {"namespace"}
    for layer in reversed(layers):
        top = {k: v for k, v in layer.data.items() if k != "stacks" and k not in general}
        data = _merge(data, top)
    for layer in reversed(layers):
        own = layer.data.get("stacks", {})
        if not isinstance(own, dict) or not isinstance(own.get(name, {}), dict):
            mistakes.append(Mistake(layer.name, "stacks", repr(own), "a table of tables"))
            continue
        data = _merge(data, own.get(name, {}))
    try:
        return StackSettings.model_validate(data)
    except ValidationError as error:
        # What a named stack inherits is reported once, for the default stack.
        mistakes += [
            _mistake(layers, name, each)
            for each in error.errors()
            if name == DEFAULT_STACK or _is_own(layers, name, _field_path(each))
        ]
        return None


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(value, dict) and isinstance(old, dict)
        merged[key] = _merge(old, value) if both and isinstance(old, dict) else value
    return merged


def _mistake(layers: list[Layer], name: str, error: ErrorDetails) -> Mistake:
    path = _field_path(error)
    allowed = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        model = _MODELS.get(path[0], StackSettings) if len(path) > 1 else StackSettings
        fields = [each.alias or key for key, each in model.model_fields.items()]
        near = difflib.get_close_matches(path[len(path) - 1], fields, 1)
        guess = f"; did you mean {near[0]}?" if near else ""
        allowed = f"no such setting, only {', '.join(fields)}{guess}"
    found = _show(path, error["input"]) if path else "these settings together"
    prefix = () if name == DEFAULT_STACK else ("stacks", name)
    return Mistake(_source(layers, name, path), ".".join((*prefix, *path)), found, allowed)


def _field_path(error: ErrorDetails) -> FieldPath:
    return tuple(str(step) for step in error["loc"] if not _is_branch(str(step)))


def _is_own(layers: list[Layer], name: str, path: FieldPath) -> bool:
    own = ("stacks", name, *path)
    return any(layer.source_of(own) is not None for layer in layers)


def _is_branch(step: str) -> bool:
    """Whether pydantic names a member of a union here, and not a field."""
    return "[" in step or step in ("float", "int", "str")


def _source(layers: list[Layer], name: str, path: FieldPath) -> str:
    for whole in (("stacks", name, *path), path):
        for length in range(len(whole), 0, -1):
            for layer in layers:
                source = layer.source_of(whole[:length])
                if source is not None and (
                    length == len(whole) or not isinstance(_at(layer.data, whole[:length]), dict)
                ):
                    return source
    return "default"


def _at(data: Any, path: FieldPath) -> Any:
    for step in path:
        data = data[step]
    return data


def _leaves(data: dict[str, Any], path: FieldPath = ()) -> Iterator[tuple[FieldPath, Any]]:
    for key, value in data.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _show(path: FieldPath, value: Any) -> str:
    if value is None:
        return "none"
    name = path[len(path) - 1] if path else ""
    if name in _SECRETS or isinstance(value, SecretStr):
        return MASK
    if name in _URLS:
        return repr(mask_url(value)) if isinstance(value, str) else MASK
    if isinstance(value, dict) and value:
        return "a table"
    return repr(value)
