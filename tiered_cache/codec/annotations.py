"""The user-defined classes that an annotation names, and how they come into a registry."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Any

from tiered_cache.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache.codec.type_registry import TypeRegistry

__all__ = ["register_results"]


def register_results(registry: TypeRegistry, function: Callable[..., Any]) -> None:
    """Register the classes in the return annotation of `function`, and those of their fields.

    What can't be registered (an ordinary class, a name that can't be resolved) is left out: its
    values are written as those of any other unregistered class.
    """
    waiting = [_hints(function).get("return")]
    # By identity, as not every annotation has a hash; kept, so that no id is given twice.
    seen: dict[int, Any] = {}
    while waiting:
        annotation = waiting.pop()
        if annotation is None or id(annotation) in seen:
            continue
        seen[id(annotation)] = annotation
        waiting += typing.get_args(annotation)
        if isinstance(annotation, type) and _register(registry, annotation):
            waiting += _hints(annotation).values()


def _register(registry: TypeRegistry, cls: type[Any]) -> bool:
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
