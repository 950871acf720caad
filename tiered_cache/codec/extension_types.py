"""The MessagePack extensions of standard types that MessagePack would flatten or can't hold.

The table is closed, and a code never changes its meaning, because records outlive the program that
wrote them. `docs/reference/record-format.md` lists the codes.
"""

from __future__ import annotations

import datetime as dt
import decimal
import fractions
import pathlib
import uuid
import zoneinfo
from collections import Counter, OrderedDict, defaultdict, deque
from typing import TYPE_CHECKING, Any, NamedTuple

from tiered_cache.contracts import NotPlain
from tiered_cache.errors import CorruptRecordError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "BY_TYPE",
    "EXTENSIONS",
    "MAPPING_CODE",
    "OBJECT_CODE",
    "Extension",
]

MAPPING_CODE = 1
"""A `dict` with keys that MessagePack can't hold: a list of its keys and values in turn."""
OBJECT_CODE = 2
"""An object of a registered type: the registered name and the plain data."""

_MAX_FRACTION_BITS = 4096
"""Hostile bytes must not cost quadratic time, which reducing a large fraction does."""

_FACTORIES: dict[str, type] = {
    kind.__name__: kind for kind in (bool, int, float, str, bytes, list, dict, set, tuple)
}
"""The factories that a `defaultdict` may have: calling one of them runs no user code."""


class Extension(NamedTuple):
    """The MessagePack extension of one standard type.

    Attributes:
        code: The extension code.
        kind: The exact type. Its subclasses are other types.
        pack: Makes the data to encode from a value: a scalar, or a new list with items that may
            need extensions themselves. May raise `NotPlain`.
        shape: The type of the data, which msgspec checks in C when it reads.
        unpack: Makes the value from the data; `None` where msgspec builds it. Any exception means
            that the bytes are corrupt.
    """

    code: int
    kind: type
    pack: Callable[[Any], object]
    shape: Any
    unpack: Callable[[Any], object] | None


def pairs_of(mapping: dict[Any, Any]) -> list[object]:
    """The keys and values of `mapping` in turn, in its order."""
    flat: list[object] = []
    for pair in mapping.items():
        flat += pair
    return flat


def mapping_of(flat: list[Any]) -> dict[Any, Any]:
    """The reverse of `pairs_of`."""
    each = iter(flat)
    return dict(zip(each, each, strict=True))


def _pack_int(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)


def _unpack_int(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


def _pack_datetime(value: dt.datetime) -> object:
    text = value.replace(tzinfo=None, fold=0).isoformat()
    return [text, value.fold, value.tzinfo]


def _unpack_datetime(data: tuple[str, int, Any]) -> dt.datetime:
    text, fold, zone = data
    naive = dt.datetime.fromisoformat(text)
    return naive.replace(fold=fold, tzinfo=zone) if fold or zone is not None else naive


def _pack_time(value: dt.time) -> object:
    return [value.replace(tzinfo=None, fold=0).isoformat(), value.fold, value.tzinfo]


def _unpack_time(data: tuple[str, int, Any]) -> dt.time:
    text, fold, zone = data
    return dt.time.fromisoformat(text).replace(fold=fold, tzinfo=zone)


def _pack_timezone(value: dt.timezone) -> object:
    offset = value.utcoffset(None)
    name = value.tzname(None)
    return [offset, None if name == dt.timezone(offset).tzname(None) else name]


def _unpack_timezone(data: tuple[Any, Any]) -> dt.timezone:
    offset, name = data
    return dt.timezone(offset) if name is None else dt.timezone(offset, name)


def _pack_zone(value: zoneinfo.ZoneInfo) -> object:
    if value.key is None:
        msg = "it has a ZoneInfo without a key"
        raise NotPlain(msg)
    return value.key


def _pack_fraction(value: fractions.Fraction) -> object:
    parts = [value.numerator, value.denominator]
    _check_fraction(parts, NotPlain)
    return parts


def _unpack_fraction(data: tuple[Any, Any]) -> fractions.Fraction:
    _check_fraction(data, CorruptRecordError)
    return fractions.Fraction(*data)


def _check_fraction(parts: Iterable[int], error: type[Exception]) -> None:
    if max(part.bit_length() for part in parts) > _MAX_FRACTION_BITS:
        msg = f"it has a Fraction of more than {_MAX_FRACTION_BITS} bits"
        raise error(msg)


def _pack_path(value: pathlib.PurePath) -> object:
    text = str(value)
    if type(value)(text) != value:
        msg = "it has a path that differs from the path of its text"
        raise NotPlain(msg)
    return text


def _pack_slice(value: Any) -> object:
    return [value.start, value.stop, value.step]


def _pack_exact_mapping(value: Any) -> object:
    if value.__dict__:
        msg = f"it has a {type(value).__name__} with extra attributes"
        raise NotPlain(msg)
    return pairs_of(value)


def _pack_defaultdict(value: defaultdict[Any, Any]) -> object:
    factory = value.default_factory
    if factory is None:
        return [None, pairs_of(value)]
    name = getattr(factory, "__name__", "")
    if _FACTORIES.get(name) is not factory:
        msg = "it has a defaultdict with a factory other than a built-in type"
        raise NotPlain(msg)
    return [name, pairs_of(value)]


def _unpack_defaultdict(data: tuple[str | None, list[Any]]) -> defaultdict[Any, Any]:
    name, flat = data
    return defaultdict(None if name is None else _FACTORIES[name], mapping_of(flat))


def _pack_deque(value: deque[Any]) -> object:
    return [value.maxlen, list(value)]


def _unpack_deque(data: tuple[int | None, list[Any]]) -> deque[Any]:
    maxlen, items = data
    return deque(items, maxlen)


def _numbers(attributes: Iterable[str]) -> Callable[[Any], object]:
    names = tuple(attributes)
    return lambda value: [getattr(value, name) for name in names]


def _apply(kind: Callable[..., object]) -> Callable[[Any], object]:
    return lambda data: kind(*data)


_Days = tuple[int, int, int]
_Three = tuple[Any, Any, Any]
_Zoned = tuple[str, int, Any]

EXTENSIONS: tuple[Extension, ...] = (
    Extension(MAPPING_CODE, dict, pairs_of, list, mapping_of),
    Extension(3, tuple, list, tuple, None),
    Extension(4, set, list, set, None),
    Extension(5, frozenset, list, frozenset, None),
    Extension(6, bytearray, bytes, bytes, bytearray),
    Extension(7, int, _pack_int, bytes, _unpack_int),
    Extension(
        8,
        str,
        lambda value: value.encode("utf-8", "surrogatepass"),
        bytes,
        lambda data: data.decode("utf-8", "surrogatepass"),
    ),
    Extension(9, complex, _numbers(("real", "imag")), tuple[float, float], _apply(complex)),
    Extension(10, dt.datetime, _pack_datetime, _Zoned, _unpack_datetime),
    Extension(11, dt.date, dt.date.toordinal, int, dt.date.fromordinal),
    Extension(12, dt.time, _pack_time, _Zoned, _unpack_time),
    Extension(
        13,
        dt.timedelta,
        _numbers(("days", "seconds", "microseconds")),
        _Days,
        _apply(dt.timedelta),
    ),
    Extension(14, dt.timezone, _pack_timezone, tuple[Any, Any], _unpack_timezone),
    Extension(15, zoneinfo.ZoneInfo, _pack_zone, str, zoneinfo.ZoneInfo),
    Extension(16, decimal.Decimal, str, str, decimal.Decimal),
    Extension(17, fractions.Fraction, _pack_fraction, tuple[Any, Any], _unpack_fraction),
    Extension(
        18,
        uuid.UUID,
        lambda value: value.bytes,
        bytes,
        lambda data: uuid.UUID(bytes=data),
    ),
    Extension(19, pathlib.PurePosixPath, _pack_path, Any, pathlib.PurePosixPath),
    Extension(20, pathlib.PureWindowsPath, _pack_path, Any, pathlib.PureWindowsPath),
    Extension(21, pathlib.PosixPath, _pack_path, Any, pathlib.PosixPath),
    Extension(22, pathlib.WindowsPath, _pack_path, Any, pathlib.WindowsPath),
    Extension(23, range, _pack_slice, _Three, _apply(range)),
    Extension(24, slice, _pack_slice, _Three, _apply(slice)),
    Extension(
        25,
        OrderedDict,
        _pack_exact_mapping,
        list,
        lambda flat: OrderedDict(mapping_of(flat)),
    ),
    Extension(26, Counter, _pack_exact_mapping, list, lambda flat: Counter(mapping_of(flat))),
    Extension(
        27,
        defaultdict,
        _pack_defaultdict,
        tuple[str | None, list[Any]],
        _unpack_defaultdict,
    ),
    Extension(28, deque, _pack_deque, tuple[int | None, list[Any]], _unpack_deque),
)

BY_TYPE: dict[type, Extension] = {each.kind: each for each in EXTENSIONS}
