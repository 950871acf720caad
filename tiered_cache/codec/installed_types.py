"""The types that installed packages declare as entry points."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any, TypeVar

from tiered_cache._extensions import TYPES, InstalledExtension, extension, extensions
from tiered_cache.errors import ConfigurationError

if TYPE_CHECKING:
    from tiered_cache.contracts import TypeRegistry

__all__ = ["declared_by", "register_installed"]

T = TypeVar("T")

_log = logging.getLogger("tiered_cache.codec")


def register_installed(registry: TypeRegistry, module: str) -> None:
    """Register the types that a package declares for a top-level module; log it if that fails."""
    try:
        found = extension(TYPES, module)
        if found is not None:
            found.load()(_OfModule(registry, module))
    except Exception:  # it runs code of another package
        _log.warning("The types of %s can't be registered", module, exc_info=True)


class _OfModule:
    """The registry for one declaration: it takes no name by which the declaration is not found.

    Args:
        registry: The registry.
        module: The module that the entry point names.
    """

    def __init__(self, registry: TypeRegistry, module: str) -> None:
        self._registry = registry
        self._module = module

    def register(self, cls: type[T], *, name: str | None = None, **options: Any) -> type[T]:
        """Register a type, as of `contracts.TypeRegistry.register`."""
        called = name or f"{cls.__module__}.{cls.__qualname__}"
        if called.partition(".")[0] != self._module:
            msg = (
                f"the name {called!r} does not begin with {self._module!r}, the name of its entry point, so "
                f"no other process would find it: write name='{self._module}.…'"
            )
            raise ConfigurationError(msg)
        return self._registry.register(cls, name=name, **options)


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
