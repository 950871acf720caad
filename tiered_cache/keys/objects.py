"""The canonical encodings of objects of user-defined classes, by the kind of class."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from tiered_cache.keys.canonical import UnstableError, encode, encode_mapping, parts
from tiered_cache.keys.identity import encode_named, qualified

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["encoder_for"]

_MADE_BY_CLASS_STATEMENT = 1 << 9
"""The flag of types on the heap (`Py_TPFLAGS_HEAPTYPE`), which built-in types are not."""

_PYDANTIC_EXTRAS = ("__pydantic_extra__", "__pydantic_private__")


def encoder_for(kind: type) -> Callable[[Any, int], bytes]:
    """The encoder for objects of exactly `kind`; one that raises `UnstableError` if there is none.

    It is looked up anew each time, because remembering classes would keep them alive.
    """
    if issubclass(kind, type):
        return encode_named  # a class with a metaclass: Enum, ABC, pydantic, …
    if hasattr(kind, "__cache_key__"):
        return _by_cache_key
    if issubclass(kind, enum.Flag):
        return lambda value, depth: _object(kind, [encode(value.value, depth)])
    if issubclass(kind, enum.Enum):
        return lambda value, depth: _object(kind, [encode(value.name, depth)])
    fields = _fields_of(kind)
    if fields is None:
        return _refuse
    return lambda value, depth: _by_fields(kind, fields, value, depth)


def _fields_of(kind: type[Any]) -> Iterable[str] | None:
    """The names of what makes up an object of `kind`; `None` if that is unknown.

    Names of attributes, found without importing the libraries that the classes come from. A
    dataclass or attrs class counts if it was itself decorated, as an undecorated subclass may have
    attributes that are not fields, and if it is no subclass of a container or exception, whose
    contents are not fields either.
    """
    own = vars(kind)
    if issubclass(kind, tuple):
        return getattr(kind, "_fields", None)
    if hasattr(kind, "__struct_fields__"):
        return tuple(kind.__struct_fields__)
    if not _has_attributes_only(kind):
        return None
    if "__dataclass_fields__" in own:
        import dataclasses

        return [field.name for field in dataclasses.fields(kind)]
    if "__attrs_attrs__" in own:
        return [attribute.name for attribute in own["__attrs_attrs__"]]
    if hasattr(kind, "__pydantic_fields__"):
        return [*kind.__pydantic_fields__, *_PYDANTIC_EXTRAS]
    return None


def _has_attributes_only(kind: type[Any]) -> bool:
    """Whether the classes that `kind` stands on, down to `object`, are all written in Python."""
    base: type[Any] | None = kind
    while base is not None and base.__flags__ & _MADE_BY_CLASS_STATEMENT:
        base = base.__base__
    return base is object


def _by_fields(kind: type, fields: Iterable[str], value: Any, depth: int) -> bytes:
    if isinstance(value, tuple) and getattr(value, "__dict__", None):
        reason = f"is a {kind.__module__}.{kind.__qualname__} with attributes that are not fields"
        raise UnstableError(reason)
    named = {}
    for name in fields:
        try:
            named[name] = getattr(value, name)
        except AttributeError:
            UnstableError("was never set").found_in(f".{name}")
    return _object(kind, [encode_mapping(b"d", named, depth)])


def _by_cache_key(value: Any, depth: int) -> bytes:
    try:
        return parts(b"K", [qualified(type(value)), encode(value.__cache_key__(), depth + 1)])
    except UnstableError as error:
        error.found_in(".__cache_key__()")


def _object(kind: type, encoded: list[bytes]) -> bytes:
    return parts(b"O", [qualified(kind), *encoded])


def _refuse(value: Any, _depth: int) -> bytes:
    kind = type(value)
    reason = f"is a {kind.__module__}.{kind.__qualname__}"
    raise UnstableError(reason)
