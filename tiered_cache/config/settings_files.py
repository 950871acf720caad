"""The files of settings: `tiered-cache.toml` and `[tool.tiered-cache]` in `pyproject.toml`."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

from tiered_cache.config.environment import PREFIX
from tiered_cache.config.expansion import expand_path
from tiered_cache.config.layers import Layer
from tiered_cache.config.mistakes import Mistake

__all__ = ["file_layers"]

_FILE_NAME = "tiered-cache.toml"


def file_layers(config_file: str | os.PathLike[str] | None, mistakes: list[Mistake]) -> list[Layer]:
    """The layers of the files, the strongest first.

    Args:
        config_file: A TOML file to read instead of the nearest `tiered-cache.toml`.
        mistakes: A file that can't be read is added here.
    """
    found = (_own_file(config_file, mistakes), _pyproject(mistakes))
    return [layer for layer in found if layer is not None]


def _own_file(config_file: str | os.PathLike[str] | None, mistakes: list[Mistake]) -> Layer | None:
    named = config_file or os.environ.get(PREFIX + "CONFIG")
    if not named:
        nearest = _nearest(_FILE_NAME)
        return None if nearest is None else _file_layer(nearest, mistakes)
    source = "argument" if config_file else PREFIX + "CONFIG"
    expected, fix = "expected the path of a TOML file", "correct the path, or leave it out"
    try:
        path = Path(expand_path(os.fspath(named))).absolute()
    except (ValueError, OSError) as error:
        mistakes.append(Mistake(source, "config file", f"{named}: {error}", expected, fix))
        return None
    if not _is_file(path):
        mistakes.append(Mistake(source, "config file", f"{path}, no such file", expected, fix))
        return None
    return _file_layer(path, mistakes)


def _file_layer(path: Path, mistakes: list[Mistake]) -> Layer:
    return Layer(str(path), _read_toml(path, mistakes), {})


def _pyproject(mistakes: list[Mistake]) -> Layer | None:
    path = _nearest("pyproject.toml")
    if path is None:
        return None
    tools = _read_toml(path, mistakes).get("tool")
    section = tools.get("tiered-cache", {}) if isinstance(tools, dict) else {}
    name = f"[tool.tiered-cache] in {path}"
    if not isinstance(section, dict):
        found = f"a value of type {type(section).__name__}"
        fix = "write the settings below [tool.tiered-cache]"
        mistakes.append(Mistake(name, "tool.tiered-cache", found, "expected a table", fix))
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
    except OSError:  # a directory above it may not be searched
        return False


def _read_toml(path: Path, mistakes: list[Mistake]) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        found = f"a file that can't be read: {error}"
        mistakes.append(Mistake(str(path), "the file", found, "", "make it readable UTF-8 text"))
        return {}
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problem, line, column = _place(str(error), text)
        found = f"invalid TOML at line {line}, column {column}: {problem}"
    except RecursionError:
        found = "TOML that is nested too deeply"
    mistakes.append(Mistake(str(path), "the file", found, "", "correct the file"))
    return {}


def _place(message: str, text: str) -> tuple[str, int, int]:
    """The problem, line and column in a parser's message. Without a place it is the text's end."""
    match = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", message, re.DOTALL)
    if match is not None:
        return match[1], int(match[2]), int(match[3])
    lines = text.split("\n")
    return message.removesuffix(" (at end of document)"), len(lines), len(lines[-1]) + 1
