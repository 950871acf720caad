"""The settings of all stacks, each value with its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tiered_cache.config.environment import RootSettings, environment_layer
from tiered_cache.config.installed import installed
from tiered_cache.config.layers import DEFAULT_STACK, Layer, StackLayers
from tiered_cache.config.mistakes import Mistake, SettingsMistakesError
from tiered_cache.config.redaction import shown
from tiered_cache.config.schema import StackSettings
from tiered_cache.config.sources import find_sources
from tiered_cache.config.validation import validated

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from tiered_cache.config.layers import FieldPath
    from tiered_cache.config.sources import UntrustedFile

__all__ = ["Resolved", "Settings", "check_untrusted", "json_schema", "load_settings", "mistakes_in"]


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

    def __init__(self, stacks: dict[str, StackSettings], layers: list[Layer]) -> None:
        self._stacks = stacks
        self._layers = layers

    @property
    def untrusted(self) -> list[Layer]:
        """The layers of untrusted files, the strongest first."""
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
            is_trusted = source not in strangers
            resolved.append(Resolved(".".join(path), shown(path, value), source, is_trusted))
        return resolved

    def __repr__(self) -> str:
        return f"<Settings of {', '.join(self._stacks)}>"


def load_settings(
    *, config_file: str | os.PathLike[str] | None = None, **arguments: Any
) -> Settings:
    """Read the settings: arguments over variables over files over defaults.

    A project's file that the user does not trust may only tune the cache; its other settings are
    ignored, with one line in the log.

    Args:
        config_file: A TOML file to read instead of those that would be found; `""` for none.
        arguments: Settings by name, such as `tiers=["memory"]` or `memory={"max_entries": 5}`.

    Raises:
        ConfigurationError: The settings are wrong. Its `mistakes` are all of them, with sources.
    """
    mistakes: list[Mistake] = []
    sources = find_sources(config_file, mistakes)
    given = Layer("argument", arguments, {})
    trusted = _settings_of([given], sources.trusted, mistakes)
    if mistakes or trusted is None:
        raise SettingsMistakesError(tuple(dict.fromkeys(mistakes)))
    settings = trusted
    for file in sources.untrusted:
        settings, wrong = _with_untrusted(given, sources.trusted, settings, file)
        file.report(wrong)
    return settings


def check_untrusted() -> list[tuple[UntrustedFile, list[Mistake]]]:
    """The untrusted files of the project, each with the mistakes because of which it is ignored.

    Raises:
        ConfigurationError: The trusted settings are wrong.
    """
    mistakes: list[Mistake] = []
    sources = find_sources(None, mistakes)
    given = Layer("argument", {}, {})
    settings = _settings_of([given], sources.trusted, mistakes)
    if settings is None:
        raise SettingsMistakesError(tuple(dict.fromkeys(mistakes)))
    checked = []
    for file in sources.untrusted:
        settings, wrong = _with_untrusted(given, sources.trusted, settings, file)
        checked.append((file, wrong))
    return checked


def mistakes_in(source: str, data: dict[str, Any]) -> list[Mistake]:
    """The mistakes in the settings of one file by itself, as if it were trusted."""
    mistakes: list[Mistake] = []
    _settings_of([], [Layer(source, data, {})], mistakes)
    return [each for each in mistakes if each.source == source]


def _settings_of(
    given: list[Layer], files: Sequence[Layer], mistakes: list[Mistake]
) -> Settings | None:
    """The settings of these layers, or `None` if they are wrong."""
    named = [layer.data.get("stacks") for layer in (*given, *files)]
    stack_names = [name for each in named if isinstance(each, dict) for name in each]
    layers = [*given, environment_layer(stack_names, mistakes), *files]
    stacks = {
        name: validated(StackLayers(layers, name), mistakes)
        for name in _stack_names(layers, mistakes)
    }
    if mistakes:
        return None
    return Settings({name: each for name, each in stacks.items() if each}, layers)


def _with_untrusted(
    given: Layer, trusted: Sequence[Layer], below: Settings, file: UntrustedFile
) -> tuple[Settings, list[Mistake]]:
    """The settings with those of an untrusted file; without, and its mistakes, if it has some."""
    mistakes = list(file.mistakes)
    files = [*trusted, *below.untrusted, file.layer]
    whole = None if mistakes else _settings_of([given], files, mistakes)
    if whole is not None:
        mistakes += _unknown_tiers(whole, file)
    if whole is None or mistakes:
        return below, list(dict.fromkeys(mistakes))
    return whole, []


def _unknown_tiers(settings: Settings, file: UntrustedFile) -> Iterator[Mistake]:
    """The tiers that an untrusted file names and that a stack does not have."""
    for name in settings.stack_names:
        stack = settings.stack(name)
        for section, tables in (("max_ttl", stack.max_ttl), ("admission", stack.admission)):
            for tier in tables:
                named = file.layer.source_of((section, tier)) is not None
                named |= file.layer.source_of(("stacks", name, section, tier)) is not None
                if named and tier not in stack.tier_names:
                    expected = f"expected one of {', '.join(stack.tier_names)}"
                    field = f"{section}.{tier}"
                    yield Mistake(file.layer.name, field, "an unknown tier", expected, "remove it")


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
