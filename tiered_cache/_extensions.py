"""The extensions of installed packages: their entry points, by group and name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tiered_cache.errors import ConfigurationError, TieredCacheError
from tiered_cache_policies.entry_points import installed_points

if TYPE_CHECKING:
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

    Costs as `installed_points` does.
    """
    return sorted({_of(point) for point in installed_points(group)})


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
