"""The types that installed packages declare as entry points."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING

from tiered_cache._extensions import TYPES, InstalledExtension, extension, extensions

if TYPE_CHECKING:
    from tiered_cache.contracts import TypeRegistry

__all__ = ["declared_by", "register_installed"]

_log = logging.getLogger("tiered_cache.codec")


def register_installed(registry: TypeRegistry, module: str) -> None:
    """Register the types that a package declares for a top-level module; log it if that fails."""
    try:
        found = extension(TYPES, module)
        if found is not None:
            found.load()(registry)
    except Exception:  # it runs code of another package
        _log.warning("The types of %s can't be registered", module, exc_info=True)


def declared_by(module: str) -> str:
    """The package that declares types of a top-level module; `""` if none does."""
    return ", ".join([f"{each.package} {each.version}" for each in _by_name().get(module, [])])


@functools.cache
def _by_name() -> dict[str, list[InstalledExtension]]:
    # Read once in a process: hostile records may hold any number of names.
    found: dict[str, list[InstalledExtension]] = {}
    for each in extensions(TYPES):
        found.setdefault(each.name, []).append(each)
    return found
