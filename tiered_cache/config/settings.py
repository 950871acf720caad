"""The settings of all stacks, each value with its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tiered_cache.config.environment import RootSettings
from tiered_cache.config.installed import installed
from tiered_cache.config.layers import DEFAULT_STACK, Layer, StackLayers
from tiered_cache.config.mistakes import Mistake, SettingsMistakesError
from tiered_cache.config.redaction import shown
from tiered_cache.config.schema import StackSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tiered_cache.config.layers import FieldPath

__all__ = ["Resolved", "Settings", "json_schema"]


class Resolved(NamedTuple):
    """One setting.

    Attributes:
        field: The setting, with dots.
        value: Its value, with secrets masked.
        source: Its file or variable, `argument` or `default`.
        is_trusted: Whether the source is trusted.
    """

    field: str
    value: str
    source: str
    is_trusted: bool = True


class Settings:
    """The validated settings of all stacks, made by `load_settings`. Immutable."""

    def without_absent_tiers(self, below: Settings) -> Settings:
        """These settings, without the options of absent tiers that `below` does not have.

        :meta private:
        """
        stacks = {}
        for name, stack in self._stacks.items():
            old = below._stacks.get(name)
            update = {
                section: {
                    tier: each
                    for tier, each in getattr(stack, section).items()
                    if tier in stack.tier_names
                    or (old is not None and tier in getattr(old, section))
                }
                for section in ("max_ttl", "admission")
            }
            stacks[name] = stack.model_copy(update=update)
        return Settings(stacks, self._layers)

    def __init__(self, stacks: dict[str, StackSettings], layers: list[Layer]) -> None:
        self._stacks = stacks
        self._layers = layers

    @property
    def untrusted(self) -> list[Layer]:
        """The layers of untrusted files, the strongest first.

        :meta private:
        """
        return [layer for layer in self._layers if not layer.is_trusted]

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
        strangers = {layer.name for layer in self.untrusted}
        resolved = []
        for path, value in _leaves(values):
            source = layers.source_of(path)
            if path == ("namespace",):
                parts = [each.name for each in self.untrusted if layers.appends_namespace(each)]
                source = " and ".join([source, *parts])
            is_trusted = not any(stranger in source for stranger in strangers)
            resolved.append(Resolved(".".join(path), shown(path, value), source, is_trusted))
        return resolved

    def __repr__(self) -> str:
        return f"<Settings of {', '.join(self._stacks)}>"


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


def _leaves(data: dict[str, Any], path: FieldPath = ()) -> Iterator[tuple[FieldPath, Any]]:
    for key, value in data.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*path, str(key)))
        else:
            yield (*path, str(key)), value
