"""The argument `types` of a cache."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from tiered_cache.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache.contracts import Codec, TypeRegistry

__all__ = ["Types", "checked_types", "register_types"]

Types: TypeAlias = "type[Any] | Callable[[TypeRegistry], object]"
"""A class to register, or a function that registers some."""


def register_types(codec: Codec, types: Iterable[Types]) -> None:
    """Register types with the codec of a cache.

    Raises:
        ConfigurationError: One of them is neither a class nor a function, a class needs `to_plain`
            and `from_plain`, or the codec has no registry.
    """
    registry: TypeRegistry | None = getattr(codec, "registry", None)
    for each in checked_types(types):
        if registry is None:
            msg = f"types= needs a codec with a registry, and {type(codec).__name__} has none: leave types= out, or use RecordCodec"
            raise ConfigurationError(msg)
        if isinstance(each, type):
            registry.register(each)
        else:
            each(registry)


def checked_types(types: Iterable[Types]) -> tuple[Types, ...]:
    """`types`, if they are classes and functions; else raises `ConfigurationError`."""
    if not isinstance(types, Iterable) or isinstance(types, str):  # pyright: ignore[reportUnnecessaryIsInstance] # a caller without a type checker
        wrong: list[object] = [types]
    else:
        types = tuple(types)
        wrong = [each for each in types if not callable(each)]
    if wrong or not isinstance(types, tuple):
        msg = (
            f"types={wrong[0]!r} must be a list of classes, or of functions that take the registry"
        )
        raise ConfigurationError(msg)
    return types
