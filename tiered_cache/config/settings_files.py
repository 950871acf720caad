"""The files of settings: `tiered-cache.toml`, `[tool.tiered-cache]` and the user's own file."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from tiered_cache._process.user_directory import user_directory
from tiered_cache.config.environment import PREFIX
from tiered_cache.config.expansion import expand_path
from tiered_cache.config.mistakes import Mistake

__all__ = ["SettingsFile", "named_file", "project_files", "read_project_file", "user_file"]

_FILE_NAME = "tiered-cache.toml"
_PYPROJECT = "pyproject.toml"
_USER_FILE = "config.toml"


class SettingsFile(NamedTuple):
    """A file of settings that was read.

    Attributes:
        path: Its absolute path.
        name: The source, as it is shown to people.
        data: The settings in it.
        digest: A digest of them, by which the user trusts them: SHA-256 of the bytes, or of the table
            `[tool.tiered-cache]` alone.
        is_ours: Whether it belongs to this user or to root.
        mistakes: The mistakes because of which it could not be read.
    """

    path: Path
    name: str
    data: dict[str, Any]
    digest: str
    is_ours: bool
    mistakes: tuple[Mistake, ...] = ()


def named_file(
    config_file: str | os.PathLike[str] | None, mistakes: list[Mistake]
) -> tuple[SettingsFile | None, bool]:
    """The file that the user names, and whether one is named: it replaces all that would be found.

    An empty value names no file, and none is looked for.

    Args:
        config_file: The argument; `None` for the variable `TIERED_CACHE_CONFIG`.
        mistakes: A file that can't be read is added here.
    """
    source = "argument" if config_file is not None else PREFIX + "CONFIG"
    named = os.environ.get(PREFIX + "CONFIG") if config_file is None else os.fspath(config_file)
    if named is None:
        return None, False
    if not named:
        return None, True
    expected, fix = "expected the path of a TOML file", "correct the path, or leave it out"
    try:
        path = Path(expand_path(named)).absolute()
    except (ValueError, OSError) as error:
        mistakes.append(Mistake(source, "config file", f"{named}: {error}", expected, fix))
        return None, True
    if not _is_file(path):
        mistakes.append(Mistake(source, "config file", f"{path}, no such file", expected, fix))
        return None, True
    found = _read(path)
    mistakes += found.mistakes
    return found, True


def project_files() -> list[SettingsFile]:
    """The files of the project around the working directory, the strongest first.

    They are looked for up to the root of the repository; outside of one, in the working directory
    alone, because the directories above may be anyone's.
    """
    try:
        here = Path.cwd()
    except OSError:  # the directory was removed
        return []
    folders = [here, *here.parents]
    root = next((at for at, each in enumerate(folders) if os.path.lexists(each / ".git")), 0)
    found = []
    for name in (_FILE_NAME, _PYPROJECT):
        places = [folder / name for folder in folders[: root + 1]]
        nearest = next((place for place in places if _is_file(place)), None)
        file = None if nearest is None else read_project_file(nearest)
        if file is not None:
            found.append(file)
    return found


def user_file() -> SettingsFile | None:
    """The user's own file; `None` if there is none."""
    folder = user_directory("config")
    if folder is None or not _is_file(folder / _USER_FILE):
        return None
    return _read(folder / _USER_FILE)


def read_project_file(path: Path) -> SettingsFile | None:
    """A project's file; `None` for a `pyproject.toml` without settings of ours."""
    file = _read(path)
    if path.name != _PYPROJECT:
        return file
    name = f"[tool.tiered-cache] in {path}"
    tools = file.data.get("tool")
    section = tools.get("tiered-cache") if isinstance(tools, dict) else None
    if section is None and not file.mistakes:
        return None
    mistakes = file.mistakes
    if section is not None and not isinstance(section, dict):
        found = f"a value of type {type(section).__name__}"
        fix = "write the settings below [tool.tiered-cache]"
        mistakes = (Mistake(name, "tool.tiered-cache", found, "expected a table", fix),)
    table = section if isinstance(section, dict) else {}
    text = json.dumps(table, sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return SettingsFile(path, name, table, digest, file.is_ours, mistakes)


def _read(path: Path) -> SettingsFile:
    try:
        content, is_ours = path.read_bytes(), _is_ours(path)
    except OSError as error:
        return _unreadable(path, f"a file that can't be read: {error.strerror}")
    digest = hashlib.sha256(content).hexdigest()
    try:
        text = content.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        return _unreadable(path, f"a file that can't be read: {error}", digest, is_ours=is_ours)
    try:
        return SettingsFile(path, str(path), tomllib.loads(text), digest, is_ours)
    except tomllib.TOMLDecodeError as error:
        problem, line, column = _place(str(error), text)
        found = f"invalid TOML at line {line}, column {column}: {problem}"
    except RecursionError:
        found = "TOML that is nested too deeply"
    mistake = Mistake(str(path), "the file", found, "", "correct the file")
    return SettingsFile(path, str(path), {}, digest, is_ours, (mistake,))


def _unreadable(path: Path, found: str, digest: str = "", *, is_ours: bool = True) -> SettingsFile:
    mistake = Mistake(str(path), "the file", found, "", "make it readable UTF-8 text")
    return SettingsFile(path, str(path), {}, digest, is_ours, (mistake,))


def _is_ours(path: Path) -> bool:
    """Whether a file belongs to this user or to root. Where files have no owner, it does."""
    if not hasattr(os, "getuid"):
        return True
    return path.stat().st_uid in (os.getuid(), 0)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a directory above it may not be searched
        return False


def _place(message: str, text: str) -> tuple[str, int, int]:
    """The problem, line and column in a parser's message. Without a place it is the text's end."""
    match = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", message, re.DOTALL)
    if match is not None:
        return match[1], int(match[2]), int(match[3])
    lines = text.split("\n")
    return message.removesuffix(" (at end of document)"), len(lines), len(lines[-1]) + 1
