"""Where settings come from: arguments, variables, and two files."""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from tiered_cache.config.mistakes import Mistake
from tiered_cache.config.schema import StackSettings

__all__ = ["Layer", "RootSettings", "read_layers"]

PREFIX = "TIERED_CACHE_"
FILE_NAME = "tiered-cache.toml"
_OTHER_VARIABLES = frozenset({"CONFIG", "DEBUG"})

FieldPath = tuple[str, ...]


class RootSettings(StackSettings, BaseSettings):
    """All settings: those of the default stack, and named stacks that differ from it."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        title="tiered-cache settings",
    )
    stacks: dict[str, dict[str, Any]] = {}


class Layer(NamedTuple):
    """What one source says.

    Attributes:
        name: The source, for people.
        data: Nested settings.
        names: For a source whose fields have names of their own, the name of each field.
    """

    name: str
    data: dict[str, Any]
    names: dict[FieldPath, str]

    def source_of(self, path: FieldPath) -> str | None:
        """Where this layer sets the field at `path`; `None` if it does not."""
        here: Any = self.data
        for step in path:
            if not isinstance(here, dict) or step not in here:
                return None
            here = here[step]
        for length in range(len(path), 0, -1):
            if path[:length] in self.names:
                return self.names[path[:length]]
        return self.name


def read_layers(
    arguments: dict[str, Any], config_file: str | os.PathLike[str] | None, mistakes: list[Mistake]
) -> list[Layer]:
    """The layers, the strongest first; what can't be read is added to `mistakes`."""
    layers = [Layer("argument", arguments, {}), _environment(mistakes)]
    layers += [
        layer
        for layer in (_own_file(config_file, mistakes), _pyproject(mistakes))
        if layer is not None
    ]
    return layers


def _environment(mistakes: list[Mistake]) -> Layer:
    names: dict[FieldPath, str] = {}
    known = set(RootSettings.model_fields)
    for variable in sorted(os.environ):
        if not variable.upper().startswith(PREFIX):
            continue
        path = tuple(variable[len(PREFIX) :].lower().split("__"))
        if path[0] in known:
            names[path] = variable
        elif path[0].upper() not in _OTHER_VARIABLES:
            near = difflib.get_close_matches(path[0], known, 1)
            guess = f"; did you mean {PREFIX}{near[0].upper()}?" if near else ""
            allowed = "one of " + ", ".join(sorted(PREFIX + each.upper() for each in known))
            mistakes.append(Mistake(variable, path[0], "an unknown variable", allowed + guess))
    try:
        data = EnvSettingsSource(RootSettings)()
    except SettingsError as error:
        field = str(error).partition('"')[2].partition('"')[0]
        variable = names.get((field,), PREFIX + field.upper())
        mistakes.append(Mistake(variable, field, "text that is not JSON", "a JSON object"))
        data = {}
    return Layer("environment", data, names)


def _own_file(config_file: str | os.PathLike[str] | None, mistakes: list[Mistake]) -> Layer | None:
    named = config_file or os.environ.get(PREFIX + "CONFIG")
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            who = "argument" if config_file else PREFIX + "CONFIG"
            mistakes.append(Mistake(who, "config file", str(path), "the path of a TOML file"))
            return None
    else:
        found = _nearest(FILE_NAME)
        if found is None:
            return None
        path = found
    return Layer(str(path), _read_toml(path, mistakes), {})


def _pyproject(mistakes: list[Mistake]) -> Layer | None:
    path = _nearest("pyproject.toml")
    if path is None:
        return None
    tools = _read_toml(path, mistakes).get("tool")
    section = tools.get("tiered-cache") if isinstance(tools, dict) else None
    if not isinstance(section, dict):
        return None
    return Layer(f"[tool.tiered-cache] in {path}", section, {})


def _nearest(name: str) -> Path | None:
    """The file called `name` in the working directory or above it, up to a repository's root."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / name).is_file():
            return folder / name
        if (folder / ".git").exists():
            return None
    return None


def _read_toml(path: Path, mistakes: list[Mistake]) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        mistakes.append(Mistake(str(path), "the file", f"no TOML: {error}", "a TOML file"))
    except (OSError, UnicodeDecodeError) as error:
        mistakes.append(Mistake(str(path), "the file", str(error), "a readable UTF-8 file"))
    return {}
