"""The argument `types` of a cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from tiered_cache.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tiered_cache.contracts import Codec, TypeRegistry

__all__ = ["Types", "register_types"]

Types: TypeAlias = "type[Any] | Callable[[TypeRegistry], object]"
"""A class to register, or a function that registers some."""


def register_types(codec: Codec, types: Iterable[Types]) -> None:
    """Register types with the codec of a cache.

    Raises:
        ConfigurationError: One of them is neither a class nor a function, a class needs `to_plain`
            and `from_plain`, or the codec has no registry.
    """
    registry: TypeRegistry | None = getattr(codec, "registry", None)
    for each in types:
        if registry is None:
            msg = f"types= needs a codec with a registry, and {type(codec).__name__} has none: leave types= out, or use RecordCodec"
            raise ConfigurationError(msg)
        if isinstance(each, type):
            registry.register(each)
        elif callable(each):
            each(registry)
        else:
            msg = (
                f"types={each!r} must be a list of classes, or of functions that take the registry"
            )
            raise ConfigurationError(msg)
