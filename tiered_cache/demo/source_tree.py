"""The source tree that the demo analyses, and the files that it leaves out."""

from __future__ import annotations

import os
import stat
import sysconfig
from pathlib import Path
from typing import NamedTuple

from tiered_cache._terminal.messages import printable
from tiered_cache.errors import ConfigurationError

__all__ = ["MAX_FILE_BYTES", "SourceTree", "find_sources", "standard_library"]

MAX_FILE_BYTES = 1024 * 1024
"""Longer files are left out: they are data written as Python, and take minutes to measure."""

_NEVER = frozenset({"__pycache__", "site-packages", "dist-packages", "node_modules"})
_NOT_IN_THE_LIBRARY = frozenset(
    {
        "distutils",
        "encodings",
        "ensurepip",
        "idlelib",
        "lib2to3",
        "pydoc_data",
        "test",
        "tests",
        "tkinter",
        "turtledemo",
    }
)


class SourceTree(NamedTuple):
    """The files to analyse.

    Attributes:
        name: Its name in the report.
        root: The directory that the paths are relative to.
        files: Path and size in bytes of each file, sorted.
        note: The parts that were left out, as text; empty if none was.
    """

    name: str
    root: Path
    files: list[tuple[str, int]]
    note: str


def standard_library() -> SourceTree:
    """The library of the running Python, without its tests, its tools and its tables of data."""
    root = Path(sysconfig.get_paths()["stdlib"])
    found, too_long = _walk(root, _NEVER | _NOT_IN_THE_LIBRARY)
    left_out = ", ".join(sorted(name for name in _NOT_IN_THE_LIBRARY if (root / name).is_dir()))
    name = f"the standard library of Python {sysconfig.get_python_version()}"
    return SourceTree(name, root, found, _note([left_out], too_long))


def find_sources(path: Path) -> SourceTree:
    """The Python files below `path`, or `path` itself if it is a file.

    Leaves out hidden directories, `site-packages`, `node_modules`, virtual
    environments, and everything but regular files. Does not follow links to directories, which may
    form a loop.

    Raises:
        ConfigurationError: The path does not exist, or has no Python file below it.
    """
    if path.is_file():
        found = [(path.name, path.stat().st_size)]
        return SourceTree(printable(path), path.parent, found, "")
    if not path.is_dir():
        msg = f"there is no file or directory {printable(path)!r} to analyse"
        raise ConfigurationError(msg)
    found, too_long = _walk(path, _NEVER)
    if not found:
        msg = f"no Python file to analyse in {printable(path)!r}: name a directory with *.py files"
        raise ConfigurationError(msg)
    return SourceTree(printable(path), path, found, _note([], too_long))


def _note(left_out: list[str], too_long: int) -> str:
    if too_long:
        left_out.append(f"{too_long} of more than {MAX_FILE_BYTES // 1024} KiB")
    return "; ".join(each for each in left_out if each)


def _walk(root: Path, skipped: frozenset[str]) -> tuple[list[tuple[str, int]], int]:
    found: list[tuple[str, int]] = []
    too_long = 0
    for directory, names, filenames in os.walk(root):
        names[:] = [name for name in names if not _skips(directory, name, skipped)]
        for filename in filenames:
            if not filename.endswith(".py"):
                continue
            place = os.path.join(directory, filename)  # noqa: PTH118 - names may not be text
            size = _regular_size(place)
            if size is None:
                continue
            if size > MAX_FILE_BYTES:
                too_long += 1
                continue
            found.append((os.path.relpath(place, root), size))
    return sorted(found), too_long


def _skips(directory: str, name: str, skipped: frozenset[str]) -> bool:
    return (
        name in skipped or name.startswith(".") or (Path(directory) / name / "pyvenv.cfg").exists()
    )


def _regular_size(place: str) -> int | None:
    """The size of a regular file, 0 if it can't be read, `None` for anything else."""
    try:
        status = os.stat(place)  # noqa: PTH116
    except OSError:
        return 0  # a dangling link for example, which the run reports as unreadable
    return status.st_size if stat.S_ISREG(status.st_mode) else None
