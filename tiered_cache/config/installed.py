"""The extensions that other installed packages provide, for people who look at a set-up."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from tiered_cache._extensions import GROUPS, TIERS, InstalledExtension, extensions
from tiered_cache.errors import TieredCacheError

__all__ = ["Installed", "installed"]

_OWN = "tiered-cache"


class Installed(NamedTuple):
    """One extension of another package.

    Attributes:
        extension: The extension.
        contract: The number of the contract that a tier was written for; `None` for all others, and
            for a tier without one.
        problem: Why it can't be used; `""` if it can.
    """

    extension: InstalledExtension
    contract: int | None
    problem: str

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            **self.extension._asdict(),
            "kind": self.extension.kind,
            "contract": self.contract,
            "problem": self.problem,
        }

    def __str__(self) -> str:
        each = self.extension
        contract = "" if self.contract is None else f", contract {self.contract}"
        return f"{each.kind} {each.name} of {each.package} {each.version}{contract}"


def installed() -> list[Installed]:
    """The extensions of other packages, by group and name.

    Imports their modules: the contracts of tiers are read, and faults are found.
    """
    found = [each for group in GROUPS for each in extensions(group) if each.package != _OWN]
    counts = Counter((each.group, each.name) for each in found)
    return [_examined(each, counts[each.group, each.name]) for each in found]


def _examined(each: InstalledExtension, packages: int) -> Installed:
    if packages > 1:
        return Installed(each, None, "another package registers the same name: uninstall one")
    try:
        loaded = each.load()
    except TieredCacheError as error:
        return Installed(each, None, error.message)
    contract = getattr(loaded, "contract", None) if each.group == TIERS else None
    return Installed(each, contract if isinstance(contract, int) else None, "")
