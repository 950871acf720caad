"""Entry points of installed packages, without those of a directory that is merely worked in."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import EntryPoint

__all__ = ["installed_points"]


def installed_points(group: str) -> list[EntryPoint]:
    """The entry points of a group.

    Those of a distribution in the working directory are left out, if only `python -m` or `python -c`
    put the directory on the path: a directory that is merely looked at registers nothing.

    Costs a look at each installed distribution.
    """
    if not _is_mentioned(group):
        return []
    # Imported here because it takes ten times as long as the search above.
    from importlib.metadata import entry_points

    return [point for point in entry_points(group=group) if not _is_only_here(point)]


def _is_mentioned(group: str) -> bool:
    """Whether the metadata of some distribution on the path contains the name of the group.

    True where that can't be told: an archive on the path is not searched.
    """
    wanted = group.encode()
    for place in sys.path:
        try:
            if place and Path(place).is_file():
                return True
            with os.scandir(place or os.curdir) as found:
                infos = [
                    each.path for each in found if each.name.endswith((".dist-info", ".egg-info"))
                ]
        except OSError:
            continue
        for info in infos:
            try:
                text = Path(info, "entry_points.txt").read_bytes()
            except OSError:
                continue
            if wanted in text:
                return True
    return False


def _is_only_here(point: EntryPoint) -> bool:
    """Whether the distribution is found because Python was started in its directory, and only so."""
    here = _real("")
    if point.dist is None or not here or _real(str(point.dist.locate_file(""))) != here:
        return False
    return not any(_real(each) == here for each in _given_paths())


def _given_paths() -> Iterator[str]:
    """The import path, without the working directory that Python itself puts in front."""
    first = sys.path[0] if sys.path else None
    is_implicit = not sys.flags.safe_path and first is not None and first in ("", _working())
    yield from sys.path[1:] if is_implicit else sys.path


def _real(path: str) -> str:
    """The real path; `""` for a working directory that was removed."""
    try:
        return os.path.realpath(path or Path.cwd())
    except OSError:
        return ""


def _working() -> str:
    try:
        return str(Path.cwd())
    except OSError:
        return ""
