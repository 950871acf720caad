"""The serializer `auto`: MessagePack with exact types, from a closed set of types.

Plain data (`None`, `bool`, `int`, `float`, `str`, `bytes`, `list`, and `dict` with such keys) is
MessagePack as msgspec writes it. Any other value is an extension of `codec.extension_types`, or an
object of a type in the `TypeTable`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tiered_cache.codec.extension_types import (
    BY_TYPE,
    EXTENSIONS,
    MAPPING_CODE,
    OBJECT_CODE,
)
from tiered_cache.codec.installed_types import declared_by
from tiered_cache.codec.type_table import top_module
from tiered_cache.contracts import NotPlain
from tiered_cache.errors import (
    CorruptRecordError,
    RecordError,
    UnsupportedRecordError,
    show_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache.codec.type_table import TypeTable

__all__ = ["MAX_DEPTH", "AutoSerializer"]

MAX_DEPTH = 200
"""The levels to which values may be nested. Reading recurses: it must not exhaust a stack that
sufficed for writing."""

_MAX_CONTAINERS = 10_000_000
"""The most containers in one value. Shared parts are written once for each reference, so a small
structure can unfold to exponentially many."""

_SCALARS = frozenset({type(None), bool, int, float, str, bytes})
_CHECKED_SCALARS = _SCALARS - {int, str}
_MIN_INT, _MAX_INT = -(2**63), 2**64 - 1

_encode = msgspec.msgpack.Encoder().encode
_Ext = msgspec.msgpack.Ext


class AutoSerializer:
    """Turns values into bytes and back, with the exact type at every level. Thread-safe.

    Writing walks through the value in Python. Reading is one decode in C, which calls Python for
    extensions only. An object with two references in a value is written twice.

    Args:
        registry: The user-defined types to accept. More may be registered at any time.
    """

    def __init__(self, registry: TypeTable) -> None:
        self._registry = registry
        self._decode = msgspec.msgpack.Decoder(ext_hook=self._extension).decode
        self._readers: dict[int, tuple[Callable[[Any], Any], Callable[[Any], object] | None]] = {
            each.code: (
                msgspec.msgpack.Decoder(each.shape, ext_hook=self._extension).decode,
                each.unpack,
            )
            for each in EXTENSIONS
        }
        self._readers[OBJECT_CODE] = (
            msgspec.msgpack.Decoder(tuple[str, Any], ext_hook=self._extension).decode,
            self._object,
        )

    def encode(self, value: object) -> bytes:
        """The bytes of `value`.

        Raises:
            NotPlain: A part of it is neither plain data nor of a standard or registered
                type, or it contains itself or is nested deeper than `MAX_DEPTH`.
            Exception: Any exception of a registered type's `to_plain`.
        """
        try:
            try:
                if type(value) in _SCALARS:
                    return _encode(value)
                return _encode(_ExtensionWalk(self._registry, _SCALARS).wrap(value, 0))
            except (OverflowError, UnicodeEncodeError):
                # An int beyond 64 bits or a lone surrogate. They are rare, so ints and strings are
                # checked one by one only after such a failure.
                return _encode(_ExtensionWalk(self._registry, _CHECKED_SCALARS).wrap(value, 0))
        except RecursionError:
            msg = "it is nested too deeply for the rest of the stack"
            raise NotPlain(msg) from None

    def decode(self, data: bytes | memoryview) -> Any:
        """The value of `data`, which may be hostile.

        Raises:
            CorruptRecordError: `encode` does not write such bytes.
            UnsupportedRecordError: They need an extension or a type that is unknown here.
        """
        try:
            return self._decode(data)
        except RecordError:
            raise
        except NotImplementedError as error:
            msg = "The record holds a type that this platform does not have"
            raise UnsupportedRecordError(msg) from error
        except Exception as error:  # hostile bytes can make a constructor raise anything
            msg = f"The record's payload can't be decoded ({type(error).__name__})"
            raise CorruptRecordError(msg) from error

    def _extension(self, code: int, data: memoryview) -> object:
        reader = self._readers.get(code)
        if reader is None:
            msg = f"The record holds the extension {code}, which is unknown here"
            raise UnsupportedRecordError(msg)
        decode, unpack = reader
        return decode(data) if unpack is None else unpack(decode(data))

    def _object(self, data: tuple[str, Any]) -> object:
        name, plain = data
        registered = self._registry.by_name(name)
        if registered is None:
            msg = f"The record holds an object of type {show_key(name)}, {unregistered(name)}"
            raise UnsupportedRecordError(msg)
        return registered.from_plain(plain)


class _ExtensionWalk:
    """One walk through one value, replacing the parts that need an extension.

    A part that needs none is returned as the same object, without a copy.
    """

    __slots__ = ("_containers", "_registry", "_scalars")

    def __init__(self, registry: TypeTable, scalars: frozenset[type]) -> None:
        self._registry = registry
        self._scalars = scalars
        self._containers = 0

    def wrap(self, value: Any, depth: int) -> Any:
        """The object to encode in place of `value`."""
        kind = type(value)
        if kind in self._scalars:
            return value
        if kind is int and _MIN_INT <= value <= _MAX_INT:
            return value
        if kind is str and not _has_surrogates(value):
            return value
        self._containers += 1
        if depth >= MAX_DEPTH or self._containers > _MAX_CONTAINERS:
            msg = f"it contains itself, or more than {MAX_DEPTH} levels or {_MAX_CONTAINERS} parts"
            raise NotPlain(msg)
        if kind is list:
            return self._wrap_list(value, depth + 1)
        if kind is dict:
            return self._wrap_dict(value, depth + 1)
        return self._wrap_other(kind, value, depth + 1)

    def _wrap_list(self, items: list[Any], depth: int) -> list[Any]:
        scalars = self._scalars
        changed: list[Any] | None = None
        for index, item in enumerate(items):
            if type(item) in scalars:
                continue
            wrapped = self.wrap(item, depth)
            if wrapped is not item:
                if changed is None:
                    changed = items.copy()
                changed[index] = wrapped
        return items if changed is None else changed

    def _wrap_dict(self, mapping: dict[Any, Any], depth: int) -> Any:
        scalars = self._scalars
        changed: dict[Any, Any] | None = None
        for key, item in mapping.items():
            if type(key) not in scalars and self.wrap(key, depth) is not key:
                return self._extension(MAPPING_CODE, BY_TYPE[dict].pack(mapping), depth)
            if type(item) in scalars:
                continue
            wrapped = self.wrap(item, depth)
            if wrapped is not item:
                if changed is None:
                    changed = mapping.copy()
                changed[key] = wrapped
        return mapping if changed is None else changed

    def _wrap_other(self, kind: type[Any], value: Any, depth: int) -> Any:
        extension = BY_TYPE.get(kind)
        if extension is not None:
            return self._extension(extension.code, extension.pack(value), depth)
        registered = self._registry.by_type(kind)
        if registered is not None:
            return self._extension(
                OBJECT_CODE, [registered.name, registered.to_plain(value)], depth
            )
        name = f"{kind.__module__}.{kind.__qualname__}"
        msg = f"it contains a {name}, {unregistered(name)}"
        raise NotPlain(msg)

    def _extension(self, code: int, packed: object, depth: int) -> Any:
        if type(packed) is list:  # made by pack, so the list itself needs no extension
            return _Ext(code, _encode(self._wrap_list(packed, depth)))
        return _Ext(code, _encode(self.wrap(packed, depth)))


def unregistered(name: str) -> str:
    """Why a type of this name is not registered, and the package that declares its neighbours."""
    package = declared_by(top_module(name))
    if package:
        return f"which {package} does not register, although it declares types of that module"
    return "which is not a registered type"


def _has_surrogates(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
