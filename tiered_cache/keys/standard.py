"""The canonical encodings of the standard library's value types; imported when first needed."""

from __future__ import annotations

import datetime as dt
import decimal
import fractions
import pathlib
import types
import uuid
import zoneinfo
from collections import Counter, OrderedDict, defaultdict, deque
from typing import TYPE_CHECKING, Any

from tiered_cache.keys.encoding import items, mapping, parts, sequence, text
from tiered_cache.keys.qualified_names import encode_named
from tiered_cache.keys.unstable import UnstableError

if TYPE_CHECKING:
    from tiered_cache.keys.encoding import Encode, Encoder

__all__ = ["ENCODERS"]


def _datetime(value: dt.datetime | dt.time, depth: int, encode: Encode) -> bytes:
    tag = b"Dd" if isinstance(value, dt.datetime) else b"Dt"
    naive = text(b"s", value.replace(tzinfo=None).isoformat())
    return parts(tag, [naive, encode(value.fold, depth), encode(value.tzinfo, depth)])


def _timezone(value: dt.timezone, depth: int, encode: Encode) -> bytes:
    return parts(b"Do", [encode(value.utcoffset(None), depth), text(b"s", value.tzname(None))])


def _zone(value: zoneinfo.ZoneInfo, _depth: int, _encode: Encode) -> bytes:
    if value.key is None:
        reason = "is a ZoneInfo without a key"
        raise UnstableError(reason)
    return text(b"Dz", value.key)


def _ordered(value: OrderedDict[Any, Any], depth: int, encode: Encode) -> bytes:
    return parts(b"Co", items(value, depth, encode))


def _defaultdict(value: defaultdict[Any, Any], depth: int, encode: Encode) -> bytes:
    factory = encode(value.default_factory, depth)
    return parts(b"Cd", [factory, mapping(b"d", value, depth, encode)])


def _deque(value: deque[Any], depth: int, encode: Encode) -> bytes:
    length = encode(value.maxlen, depth)
    return parts(b"Cq", [length, sequence(b"l", value, depth, encode)])


def _numbers(tag: bytes, *names: str) -> Encoder:
    """The encoder of a type by its attributes `names`."""
    return lambda value, depth, encode: sequence(
        tag, [getattr(value, name) for name in names], depth, encode
    )


def _text(tag: bytes) -> Encoder:
    """The encoder of a type by its `str()`."""
    return lambda value, _depth, _encode: text(tag, str(value))


ENCODERS: dict[type, Encoder] = {
    complex: _numbers(b"c", "real", "imag"),
    range: _numbers(b"R", "start", "stop", "step"),
    slice: _numbers(b"L", "start", "stop", "step"),
    type(...): lambda _value, _depth, _encode: b"E",
    dt.datetime: _datetime,
    dt.time: _datetime,
    dt.date: _text(b"Da"),
    dt.timedelta: _numbers(b"De", "days", "seconds", "microseconds"),
    dt.timezone: _timezone,
    zoneinfo.ZoneInfo: _zone,
    decimal.Decimal: _text(b"Md"),
    fractions.Fraction: _numbers(b"Mf", "numerator", "denominator"),
    uuid.UUID: _text(b"U"),
    pathlib.PurePosixPath: _text(b"Pp"),
    pathlib.PureWindowsPath: _text(b"Pw"),
    pathlib.PosixPath: _text(b"PP"),
    pathlib.WindowsPath: _text(b"PW"),
    OrderedDict: _ordered,
    Counter: lambda value, depth, encode: mapping(b"Cc", value, depth, encode),
    defaultdict: _defaultdict,
    deque: _deque,
    types.FunctionType: encode_named,
    types.BuiltinFunctionType: encode_named,
    type: encode_named,
}
