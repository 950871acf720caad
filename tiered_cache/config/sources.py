"""Where settings come from: arguments, variables, and two files."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

from tiered_cache.config.environment import PREFIX, read_environment
from tiered_cache.config.layers import Layer
from tiered_cache.config.mistakes import Mistake
from tiered_cache.config.text import expand_path

__all__ = ["read_layers"]

FILE_NAME = "tiered-cache.toml"


def read_layers(
    arguments: dict[str, Any], config_file: str | os.PathLike[str] | None, mistakes: list[Mistake]
) -> list[Layer]:
    """The layers, the strongest first; what can't be read is added to `mistakes`."""
    given = Layer("argument", arguments, {})
    files = [
        layer
        for layer in (_own_file(config_file, mistakes), _pyproject(mistakes))
        if layer is not None
    ]
    stacks = [layer.data.get("stacks") for layer in (given, *files)]
    names = [name for each in stacks if isinstance(each, dict) for name in each]
    return [given, read_environment(mistakes, names), *files]


def _own_file(config_file: str | os.PathLike[str] | None, mistakes: list[Mistake]) -> Layer | None:
    named = config_file or os.environ.get(PREFIX + "CONFIG")
    if not named:
        path = _nearest(FILE_NAME)
        return None if path is None else Layer(str(path), _read_toml(path, mistakes), {})
    who = "argument" if config_file else PREFIX + "CONFIG"
    allowed, fix = "the path of a TOML file", "correct the path, or leave it out"
    try:
        path = Path(expand_path(os.fspath(named))).absolute()
    except (ValueError, OSError) as error:
        mistakes.append(Mistake(who, "config file", str(named), f"{allowed}: {error}", fix))
        return None
    if not _is_file(path):
        mistakes.append(Mistake(who, "config file", str(path), allowed, fix))
        return None
    return Layer(str(path), _read_toml(path, mistakes), {})


def _pyproject(mistakes: list[Mistake]) -> Layer | None:
    path = _nearest("pyproject.toml")
    if path is None:
        return None
    tools = _read_toml(path, mistakes).get("tool")
    section = tools.get("tiered-cache", {}) if isinstance(tools, dict) else {}
    name = f"[tool.tiered-cache] in {path}"
    if not isinstance(section, dict):
        found, fix = (
            f"a value of type {type(section).__name__}",
            "write its settings below [tool.tiered-cache]",
        )
        mistakes.append(Mistake(name, "tool.tiered-cache", found, "a table", fix))
        return None
    return Layer(name, section, {})


def _nearest(name: str) -> Path | None:
    """The file called `name` in the working directory or above it, up to a repository's root."""
    try:
        here = Path.cwd()
    except OSError:  # the directory was removed
        return None
    for folder in (here, *here.parents):
        if _is_file(folder / name):
            return folder / name
        if os.path.lexists(folder / ".git"):
            return None
    return None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a directory on the way may not be searched
        return False


def _read_toml(path: Path, mistakes: list[Mistake]) -> dict[str, Any]:
    source, fix = str(path), "correct the file"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        found = f"what can't be read: {error}"
        mistakes.append(Mistake(source, "the file", found, "a readable UTF-8 file", fix))
        return {}
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = f"no TOML: {_with_place(str(error), text)}"
    except RecursionError:
        found = "TOML that is nested too deeply"
    mistakes.append(Mistake(source, "the file", found, "a TOML file", fix))
    return {}


def _with_place(message: str, text: str) -> str:
    """`message` with line and column, which the parser leaves out where the text has ended."""
    lines = text.split("\n")
    end = f"(at line {len(lines)}, column {len(lines[-1]) + 1}, the end of the file)"
    return re.sub(r"\(at end of document\)$", end, message)
