"""The canonical encodings of objects of user-defined classes, one for each kind of class."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from tiered_cache.keys.encoding import mapping, parts
from tiered_cache.keys.qualified_names import encode_named, qualified
from tiered_cache.keys.unstable import UnstableError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tiered_cache.keys.encoding import Encode, Encoder

__all__ = ["encoder_for"]

_MADE_BY_CLASS_STATEMENT = 1 << 9
"""The flag of types on the heap (`Py_TPFLAGS_HEAPTYPE`), which built-in types are not."""

_PYDANTIC_EXTRAS = ("__pydantic_extra__", "__pydantic_private__")


def encoder_for(kind: type) -> Encoder:
    """The encoder for objects of exactly `kind`; it raises `UnstableError` for an unknown kind.

    It is not remembered, because a table of classes would keep them alive.
    """
    if issubclass(kind, type):
        return encode_named  # a class with a metaclass: Enum, ABC, pydantic, …
    if hasattr(kind, "__cache_key__"):
        return _by_cache_key
    if issubclass(kind, enum.Flag):
        return lambda value, depth, encode: _object(kind, [encode(value.value, depth)])
    if issubclass(kind, enum.Enum):
        return lambda value, depth, encode: _object(kind, [encode(value.name, depth)])
    fields = _fields_of(kind)
    if fields is None:
        return _refuse
    return lambda value, depth, encode: _object(
        kind, [mapping(b"d", _named(kind, fields, value), depth, encode)]
    )


def _fields_of(kind: type[Any]) -> Iterable[str] | None:
    """The attributes that make up an object of `kind`; `None` for an unknown kind.

    They are found without importing attrs, pydantic or msgspec. A dataclass or attrs class must
    itself be decorated: an undecorated subclass may have attributes that are not fields. And it
    must be no subclass of a container or exception: their contents are not fields.
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
    """Whether `kind` and its bases, down to `object`, are all written in Python."""
    base: type[Any] | None = kind
    while base is not None and base.__flags__ & _MADE_BY_CLASS_STATEMENT:
        base = base.__base__
    return base is object


def _named(kind: type, fields: Iterable[str], value: Any) -> dict[str, object]:
    """The fields of `value` by name."""
    if isinstance(value, tuple) and getattr(value, "__dict__", None):
        reason = f"is a {kind.__module__}.{kind.__qualname__} with attributes that are not fields"
        raise UnstableError(reason)
    named = {}
    for name in fields:
        try:
            named[name] = getattr(value, name)
        except AttributeError:
            UnstableError("was never set").found_in(f".{name}")
    return named


def _by_cache_key(value: Any, depth: int, encode: Encode) -> bytes:
    try:
        return parts(b"K", [qualified(type(value)), encode(value.__cache_key__(), depth + 1)])
    except UnstableError as error:
        error.found_in(".__cache_key__()")


def _object(kind: type, encoded: list[bytes]) -> bytes:
    return parts(b"O", [qualified(kind), *encoded])


def _refuse(value: Any, _depth: int, _encode: Encode) -> bytes:
    kind = type(value)
    reason = f"is a {kind.__module__}.{kind.__qualname__}"
    raise UnstableError(reason)
