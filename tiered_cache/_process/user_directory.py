"""The user's directories for files of tiered-cache, which some processes do not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["user_directory"]


def user_directory(kind: Literal["cache", "config", "data", "state"]) -> Path | None:
    """The absolute path of a directory of the user, or `None` if no home directory was found.

    A service or a container may have neither `HOME` nor an entry in the password database. For them
    platformdirs returns a path that begins with `~`, which would be created in the working directory.
    Creates nothing.
    """
    import platformdirs  # imported here because few programs need a default path

    find = {
        "cache": platformdirs.user_cache_path,
        "config": platformdirs.user_config_path,
        "data": platformdirs.user_data_path,
        "state": platformdirs.user_state_path,
    }[kind]
    try:
        path = find("tiered-cache", appauthor=False)
    except (KeyError, RuntimeError):
        return None
    return path if path.is_absolute() else None
