"""Loading: the settings of all sources, those of strangers under guard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache.config.environment import environment_layer
from tiered_cache.config.layers import DEFAULT_STACK, Layer, StackLayers
from tiered_cache.config.mistakes import Mistake, SettingsMistakesError
from tiered_cache.config.settings import Settings
from tiered_cache.config.sources import find_sources
from tiered_cache.config.stack_factory import check_stack
from tiered_cache.config.validation import validated
from tiered_cache.errors import TieredCacheError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from tiered_cache.config.settings_files import SettingsFile
    from tiered_cache.config.sources import UntrustedFile

__all__ = ["check_untrusted", "load_settings", "mistakes_if_trusted"]


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


def mistakes_if_trusted(files: Sequence[SettingsFile]) -> list[Mistake]:
    """The mistakes in project files, and those that there would be if they were trusted."""
    mistakes = [each for file in files for each in file.mistakes]
    if mistakes:
        return mistakes
    layers = [Layer(file.name, file.data, {}) for file in files]
    names = {layer.name for layer in layers}
    alone: list[Mistake] = []
    _settings_of([], layers, alone, with_variables=False)
    # Other sources may complete the tiers of the file.
    mistakes += [each for each in alone if each.source in names and each.field != "tiers"]
    own = find_sources(None, []).trusted
    settings = _settings_of(
        [], [*layers, *(each for each in own if each.name not in names)], mistakes
    )
    if settings is not None:
        mistakes += _unbuildable(settings, None, " and ".join(sorted(names)))
    return list(dict.fromkeys(mistakes))


def _settings_of(
    given: list[Layer],
    files: Sequence[Layer],
    mistakes: list[Mistake],
    *,
    with_variables: bool = True,
) -> Settings | None:
    """The settings of these layers, or `None` if they are wrong."""
    # The spelling of a stranger's stacks must not take a variable from a stack of the user.
    named = [layer.data.get("stacks") for layer in (*given, *files) if layer.is_trusted]
    stack_names = [name for each in named if isinstance(each, dict) for name in each]
    variables = [environment_layer(stack_names, mistakes)] if with_variables else []
    layers = [*given, *variables, *files]
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
    try:
        if not mistakes:
            mistakes += _misspelt(below, file)
        files = [*trusted, *below.untrusted, file.layer]
        whole = None if mistakes else _settings_of([given], files, mistakes)
        if whole is not None:
            whole = whole.without_absent_tiers(below)
            mistakes += _unbuildable(whole, below, file.layer.name)
    except Exception as error:  # nothing in a stranger's file may make a tool fail
        whole = None
        found = type(error).__name__
        mistakes.append(Mistake(file.layer.name, "the file", found, "", "correct the file"))
    if whole is None or mistakes:
        return below, list(dict.fromkeys(mistakes))
    return whole, []


def _misspelt(below: Settings, file: UntrustedFile) -> Iterator[Mistake]:
    """The stacks of a stranger's file whose names differ from the user's only in case."""
    own = {name.lower(): name for name in below.stack_names}
    stacks = file.layer.data.get("stacks", {})
    for name in stacks:
        if own.get(name.lower(), name) != name:
            expected = f"expected {own[name.lower()]!r}"
            yield Mistake(file.layer.name, f"stacks.{name}", repr(name), expected, "rename it")


def _unbuildable(settings: Settings, below: Settings | None, source: str) -> Iterator[Mistake]:
    """The stacks that these settings don't make, although those `below` do."""
    for name in settings.stack_names:
        error = _refusal(settings, name)
        if error and not (
            below is not None and name in below.stack_names and _refusal(below, name)
        ):
            yield Mistake(source, f"stack {name}", error, "", "correct it, or leave it out")


def _refusal(settings: Settings, name: str) -> str:
    """Why the settings of a stack make none; `""` if they do."""
    try:
        check_stack(settings.stack(name))
    except TieredCacheError as error:
        return error.message
    return ""


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
