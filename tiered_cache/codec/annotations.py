"""Registration of the user-defined classes in the return annotation of a function."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Any

from tiered_cache.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache.codec.type_table import TypeTable

__all__ = ["register_results"]


def register_results(registry: TypeTable, function: Callable[..., Any]) -> None:
    """Register the classes in the return annotation of `function`, and those of their fields.

    Ordinary classes and names that can't be resolved are skipped: their objects are pickled, as
    those of any unregistered class.
    """
    waiting = [_hints(function).get("return")]
    # By id, because not every annotation is hashable; held, so that no id is reused.
    seen: dict[int, Any] = {}
    while waiting:
        annotation = waiting.pop()
        if annotation is None or id(annotation) in seen:
            continue
        seen[id(annotation)] = annotation
        waiting += typing.get_args(annotation)
        if isinstance(annotation, type) and _register(registry, annotation):
            waiting += _hints(annotation).values()


def _register(registry: TypeTable, cls: type[Any]) -> bool:
    if registry.by_type(cls) is not None:
        return True
    try:
        registry.register(cls)
    except ConfigurationError:
        return False
    return True


def _hints(annotated: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(annotated)
    except Exception:
        return {}
