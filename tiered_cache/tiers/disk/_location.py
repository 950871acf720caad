"""The directory of a disk tier."""

from __future__ import annotations

import os
from pathlib import Path

from tiered_cache._process.user_directory import user_directory
from tiered_cache.errors import ConfigurationError

__all__ = ["find_root"]


def find_root(path: str | os.PathLike[str] | None) -> Path:
    """The absolute path of the directory that `path` names; nothing is created.

    Args:
        path: The path, in which `~` and `~user` are expanded; `None` for the user's cache
            directory.

    Raises:
        ConfigurationError: `path` is not a path, or no home directory was found.
    """
    if path is None:
        return _default_root()
    if not isinstance(path, str | os.PathLike):
        msg = f"path={path!r} of the disk tier must be the path of a directory"
        raise ConfigurationError(msg)
    given = Path(path)
    root = _expand(given)
    if root is None:
        msg = (
            f"path={os.fspath(path)!r} of the disk tier begins with a home directory that was not "
            "found: write an absolute path, such as '/var/cache/tiered-cache'"
        )
        raise ConfigurationError(msg)
    return root.absolute()


def _default_root() -> Path:
    root = user_directory("cache")
    if root is None:
        msg = (
            "the disk tier has no path, and no home directory was found for its default: set "
            "disk.path, or DiskTier(path=…), to an absolute path such as '/var/cache/tiered-cache'"
        )
        raise ConfigurationError(msg)
    return root


def _expand(path: Path) -> Path | None:
    """`path` with its home directory; `None` if that was not found."""
    start = path.parts[0] if path.parts else ""
    if not start.startswith("~"):
        return path
    try:
        home = Path(start).expanduser()
    except RuntimeError:  # an unknown user, or no home
        return None
    # A service account may name a home that does not exist; one's own home may be created.
    if not home.is_absolute() or (start != "~" and not home.is_dir()):
        return None
    return home.joinpath(*path.parts[1:])
