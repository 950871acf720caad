"""The files of settings: `tiered-cache.toml`, `[tool.tiered-cache]` and the user's own file."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from tiered_cache._process.user_directory import user_directory
from tiered_cache.config.environment import PREFIX
from tiered_cache.config.expansion import expand_path
from tiered_cache.config.mistakes import Mistake

__all__ = [
    "FILE_NAMES",
    "SettingsFile",
    "is_private",
    "named_file",
    "project_files",
    "project_places",
    "read_project_file",
    "user_file",
]

_FILE_NAME = "tiered-cache.toml"
_PYPROJECT = "pyproject.toml"
_USER_FILE = "config.toml"
FILE_NAMES = (_FILE_NAME, _PYPROJECT)
"""The names of a project's files, the stronger first."""

_MAX_BYTES = 256 * 1024
_MAX_DOTS = 1000
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


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
    found = []
    for places in project_places():
        nearest = next((place for place in places if _is_file(place)), None)
        file = None if nearest is None else read_project_file(nearest)
        if file is not None:
            found.append(file)
    return found


def project_places() -> list[list[Path]]:
    """The places of each file of the project, the nearest first; they need not exist."""
    try:
        here = Path.cwd()
    except OSError:  # the directory was removed
        return []
    folders = [here, *here.parents]
    root = next((at for at, each in enumerate(folders) if os.path.lexists(each / ".git")), 0)
    return [[folder / name for folder in folders[: root + 1]] for name in FILE_NAMES]


def user_file() -> SettingsFile | None:
    """The user's own file; `None` if there is none."""
    folder = user_directory("config")
    if folder is None or not _is_file(folder / _USER_FILE) or not is_private(folder / _USER_FILE):
        return None
    return _read(folder / _USER_FILE)


def is_private(path: Path) -> bool:
    """Whether a file is this user's or root's, and no other user may write it."""
    try:
        status = path.stat()
    except OSError:
        return False
    return is_own(status) and not (os.name == "posix" and status.st_mode & _WRITABLE_BY_OTHERS)


def read_project_file(path: Path) -> SettingsFile | None:
    """A project's file; `None` for a `pyproject.toml` without settings of ours."""
    file = _read(path)
    if path.name != _PYPROJECT:
        return file
    name = f"[tool.tiered-cache] in {path}"
    tools = file.data.get("tool")
    section = tools.get("tiered-cache") if isinstance(tools, dict) else None
    if section is None and not (file.mistakes and _mentions_us(path)):
        return None
    mistakes = file.mistakes
    if section is not None and not isinstance(section, dict):
        found = f"a value of type {type(section).__name__}"
        fix = "write the settings below [tool.tiered-cache]"
        mistakes = (Mistake(name, "tool.tiered-cache", found, "expected a table", fix),)
    table = section if isinstance(section, dict) else {}
    try:
        text = json.dumps(table, sort_keys=True, default=lambda it: f"{type(it).__name__} {it}")
    except (ValueError, RecursionError) as error:
        mistakes = (Mistake(name, "tool.tiered-cache", type(error).__name__, "", "correct it"),)
        table, text = {}, ""
    # A file that can't be read has no digest: trust in an empty table must not cover it.
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() if text else ""
    return SettingsFile(path, name, table, "" if mistakes else digest, file.is_ours, mistakes)


def _mentions_us(path: Path) -> bool:
    """Whether a file that can't be parsed has something of ours, as far as one can tell."""
    try:
        return b"tiered-cache" in _content(path)[0]
    except OSError:
        return False


def _read(path: Path) -> SettingsFile:
    try:
        content, is_ours = _content(path)
    except OSError as error:
        return _unreadable(path, f"a file that can't be read: {error.strerror}")
    digest = hashlib.sha256(content).hexdigest()
    if len(content) > _MAX_BYTES:
        return _unreadable(path, f"more than {_MAX_BYTES} bytes", digest, is_ours=is_ours)
    try:
        text = content.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        return _unreadable(path, f"a file that can't be read: {error}", digest, is_ours=is_ours)
    try:
        # Nested keys take memory that grows with the square of their parts.
        if max([line.count(".") for line in text.split("\n")]) > _MAX_DOTS:
            raise RecursionError
        return SettingsFile(path, str(path), tomllib.loads(text), digest, is_ours)
    except tomllib.TOMLDecodeError as error:
        problem, line, column = _place(str(error), text)
        found = f"invalid TOML at line {line}, column {column}: {problem}"
    except RecursionError:
        found = "TOML that is nested too deeply"
    except ValueError as error:  # a number with too many digits
        found = f"invalid TOML: {type(error).__name__}"
    mistake = Mistake(str(path), "the file", found, "", "correct the file")
    return SettingsFile(path, str(path), {}, digest, is_ours, (mistake,))


def _content(path: Path) -> tuple[bytes, bool]:
    """The content of a regular file, a byte more than allowed at most, and whether it is ours."""
    # A pipe in the place of the file must not make the process wait.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        return file.read(_MAX_BYTES + 1), is_own(status) and is_own(path.lstat())


def is_own(status: os.stat_result) -> bool:
    """Whether a file belongs to this user or to root. Where files have no owner, it does."""
    return not hasattr(os, "getuid") or status.st_uid in (os.getuid(), 0)


def _unreadable(path: Path, found: str, digest: str = "", *, is_ours: bool = True) -> SettingsFile:
    mistake = Mistake(str(path), "the file", found, "", "make it readable UTF-8 text")
    return SettingsFile(path, str(path), {}, digest, is_ours, (mistake,))


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
