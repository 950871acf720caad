"""The extensions of installed packages: their entry points, by group and name."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tiered_cache.errors import ConfigurationError, TieredCacheError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import EntryPoint

__all__ = [
    "EXPORTERS",
    "GROUPS",
    "POLICIES",
    "TIERS",
    "TYPES",
    "InstalledExtension",
    "extension",
    "extensions",
]

TIERS = "tiered_cache.tiers"
POLICIES = "tiered_cache.policies"
TYPES = "tiered_cache.types"
EXPORTERS = "tiered_cache.exporters"
GROUPS = (TIERS, POLICIES, TYPES, EXPORTERS)
"""The entry-point groups."""

_KINDS = {TIERS: "tier", POLICIES: "policy", TYPES: "types", EXPORTERS: "exporter"}


class InstalledExtension(NamedTuple):
    """A tier, a policy, types or an exporter of an installed package.

    Attributes:
        group: The entry-point group.
        name: Its name there.
        package: The distribution that registers it.
        version: The version of the distribution.
        place: The module and the name in it, such as `acme.tiers:FlyTier`.
    """

    group: str
    name: str
    package: str
    version: str
    place: str

    @property
    def kind(self) -> str:
        """Its kind, in a word."""
        return _KINDS[self.group]

    def load(self) -> Any:
        """The registered object; imports its module.

        Raises:
            ConfigurationError: The module can't be imported, or lacks the object.
            MissingExtraError: It needs an extra that is not installed.
        """
        from importlib.metadata import EntryPoint

        try:
            return EntryPoint(self.name, self.place, self.group).load()
        except TieredCacheError:
            raise
        except Exception as error:  # importing another package's module may raise anything
            msg = (
                f"the {self.kind} {self.name!r} of {self.package} {self.version} can't be loaded from "
                f"{self.place}: {type(error).__name__}: {error}"
            )
            raise ConfigurationError(msg) from error


def extensions(group: str) -> list[InstalledExtension]:
    """The extensions of a group, sorted by name; two packages may register the same name.

    Those of a distribution in the working directory are left out, if only `python -m` or `python -c`
    put the directory on the path: a directory that is merely looked at registers nothing.

    Costs a look at each installed distribution.
    """
    # Imported here because it takes longer to import than this package, and few programs need it.
    from importlib.metadata import entry_points

    found = {_of(point) for point in entry_points(group=group) if not _is_only_here(point)}
    return sorted(found)


def extension(group: str, name: str) -> InstalledExtension | None:
    """The extension called `name`; `None` if no package registers it.

    Raises:
        ConfigurationError: Two packages register the name.
    """
    found = [each for each in extensions(group) if each.name == name]
    if len(found) > 1:
        packages = " and ".join(f"{each.package} {each.version}" for each in found)
        msg = (
            f"the {found[0].kind} {name!r} is registered by {packages}: uninstall all but one of "
            "them"
        )
        raise ConfigurationError(msg)
    return found[0] if found else None


def _of(point: EntryPoint) -> InstalledExtension:
    dist = point.dist
    package, version = ("", "") if dist is None else (dist.name, dist.version)
    return InstalledExtension(point.group, point.name, package, version, point.value)


def _is_only_here(point: EntryPoint) -> bool:
    """Whether the distribution is found because Python was started in its directory, and only so."""
    here = _real("")
    if point.dist is None or _real(str(point.dist.locate_file(""))) != here:
        return False
    return not any(_real(each) == here for each in _given_paths())


def _given_paths() -> Iterator[str]:
    """The import path, without the working directory that Python itself puts in front."""
    is_implicit = not sys.flags.safe_path and sys.path[:1] in ([""], [str(Path.cwd())])
    yield from sys.path[1:] if is_implicit else sys.path


def _real(path: str) -> str:
    return os.path.realpath(path or os.curdir)
