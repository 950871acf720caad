"""Conversion between objects of user-defined classes and plain data, for each kind of class.

Reading restores an object as `copy` and `pickle` do: field by field, without `__init__`,
`__post_init__` or validators. So the object equals the one that was written, and bytes from a tier
run none of its class's code. (`msgspec.Struct` is the exception: only its constructor can make
one.) Attributes that are not fields, such as a cached property, are not kept.

Fields are written with their names. A record is refused if the fields of its class have changed
since: it would make an object that the class itself could not make.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tiered_cache.contracts import NotPlain
from tiered_cache.errors import ConfigurationError, UnsupportedRecordError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Mechanism", "mechanism_for"]

_ATTRS_HASH = "_attrs_cached_hash"


class Mechanism(NamedTuple):
    """The conversion between objects of one class and plain data, in both directions."""

    to_plain: Callable[[Any], object]
    from_plain: Callable[[Any], object]


def mechanism_for(cls: type[Any]) -> Mechanism:
    """The generic mechanism for the kind of class of `cls`.

    Raises:
        ConfigurationError: This kind of class has none.
    """
    if issubclass(cls, enum.Flag):
        return _for_flag(cls)
    if issubclass(cls, enum.Enum):
        return _for_enum(cls)
    if issubclass(cls, msgspec.Struct):
        return _for_struct(cls)
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return _for_named_tuple(cls)
    own: Any = cls
    # In the class itself, because an undecorated subclass may have attributes that are not fields.
    if "__dataclass_fields__" in vars(cls):
        return _for_fields(cls, [field.name for field in dataclasses.fields(own)])
    if "__attrs_attrs__" in vars(cls):
        return _for_fields(cls, [attribute.name for attribute in own.__attrs_attrs__])
    if hasattr(cls, "__pydantic_fields__"):
        return _for_pydantic(cls)
    msg = (
        f"{cls.__qualname__} is not an Enum, NamedTuple, dataclass, attrs class, pydantic model or "
        "msgspec.Struct: register it with to_plain= and from_plain="
    )
    raise ConfigurationError(msg)


def _for_flag(cls: type[enum.Flag]) -> Mechanism:
    def from_plain(value: Any) -> object:
        member = cls(value)
        # Python 3.11.2 and the boundaries CONFORM and EJECT drop unknown bits without an error.
        if not isinstance(member, cls) or member.value != value:
            msg = f"{cls.__qualname__} no longer has the flags in the record"
            raise UnsupportedRecordError(msg)
        return member

    return Mechanism(lambda member: member.value, from_plain)


def _for_enum(cls: type[enum.Enum]) -> Mechanism:
    def from_plain(name: Any) -> object:
        member = cls.__members__.get(name)
        if member is None:
            msg = f"{cls.__qualname__} no longer has the member in the record"
            raise UnsupportedRecordError(msg)
        return member

    return Mechanism(lambda member: member.name, from_plain)


def _for_named_tuple(cls: type[Any]) -> Mechanism:
    names = tuple(cls._fields)
    check = _checker(cls, names)

    def from_plain(plain: Any) -> object:
        check(plain)
        return tuple.__new__(cls, [plain[name] for name in names])

    def to_plain(value: Any) -> object:
        if getattr(value, "__dict__", None):
            msg = f"it contains a {cls.__qualname__} with attributes that are not fields"
            raise NotPlain(msg)
        return dict(zip(names, value, strict=True))

    return Mechanism(to_plain, from_plain)


def _for_fields(cls: type[Any], fields: Iterable[str]) -> Mechanism:
    names = tuple(fields)
    check = _checker(cls, names)
    written = (*names, _ATTRS_HASH) if _caches_its_hash(cls) else names
    try:
        object.__new__(cls)
    except TypeError as error:
        msg = f"{cls.__qualname__} can't be made field by field: register it with to_plain= and from_plain="
        raise ConfigurationError(msg) from error

    def from_plain(plain: Any) -> object:
        check(plain)
        made = object.__new__(cls)
        for name in written:
            object.__setattr__(made, name, plain.get(name))
        return made

    return Mechanism(lambda value: {name: getattr(value, name) for name in names}, from_plain)


def _caches_its_hash(cls: type[Any]) -> bool:
    """Whether `cls` is an attrs class with `cache_hash=True`: its `__hash__` expects the cache."""
    code = getattr(cls.__hash__, "__code__", None)
    return code is not None and _ATTRS_HASH in code.co_names


def _for_struct(cls: type[msgspec.Struct]) -> Mechanism:
    names = cls.__struct_fields__
    check = _checker(cls, names)
    rewrites = hasattr(cls, "__post_init__")

    def from_plain(plain: Any) -> object:
        check(plain)
        made = cls(**plain)
        if rewrites:
            for name in names:
                msgspec.structs.force_setattr(made, name, plain[name])
        return made

    return Mechanism(lambda value: {name: getattr(value, name) for name in names}, from_plain)


def _for_pydantic(cls: type[Any]) -> Mechanism:
    names = tuple(cls.__pydantic_fields__)
    check = _checker(cls, names)

    def to_plain(value: Any) -> object:
        return [
            {name: value.__dict__[name] for name in names},
            value.__pydantic_extra__,
            sorted(value.__pydantic_fields_set__),
            value.__pydantic_private__,
        ]

    def from_plain(plain: Any) -> object:
        fields, extra, fields_set, private = plain
        check(fields)
        made: Any = object.__new__(cls)
        made.__setstate__(
            {
                "__dict__": fields,
                "__pydantic_extra__": extra,
                "__pydantic_fields_set__": set(fields_set),
                "__pydantic_private__": private,
            }
        )
        return made

    return Mechanism(to_plain, from_plain)


def _checker(cls: type[Any], names: Iterable[str]) -> Callable[[Any], None]:
    """A check that plain data is a dict with exactly these `names`."""
    expected = set(names)

    def check(plain: Any) -> None:
        if type(plain) is not dict or plain.keys() != expected:
            msg = f"{cls.__qualname__} has other fields here than in the record"
            raise UnsupportedRecordError(msg)

    return check
