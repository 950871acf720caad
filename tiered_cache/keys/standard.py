"""The canonical encodings of the standard library's value types; loaded when first needed."""

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

from tiered_cache.keys.canonical import (
    UnstableError,
    encode,
    encode_items,
    encode_mapping,
    encode_sequence,
    parts,
    text,
)
from tiered_cache.keys.identity import encode_named

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ENCODERS"]


def _datetime(value: dt.datetime | dt.time, depth: int) -> bytes:
    tag = b"Dd" if isinstance(value, dt.datetime) else b"Dt"
    naive = text(b"s", value.replace(tzinfo=None).isoformat())
    return parts(tag, [naive, encode(value.fold, depth), encode(value.tzinfo, depth)])


def _zone(value: zoneinfo.ZoneInfo, _depth: int) -> bytes:
    if value.key is None:
        reason = "is a ZoneInfo without a key"
        raise UnstableError(reason)
    return text(b"Dz", value.key)


def _numbers(tag: bytes, *names: str) -> Callable[[Any, int], bytes]:
    return lambda value, depth: encode_sequence(
        tag, [getattr(value, name) for name in names], depth
    )


def _text(tag: bytes) -> Callable[[Any, int], bytes]:
    return lambda value, _depth: text(tag, str(value))


def _ordered(value: OrderedDict[Any, Any], depth: int) -> bytes:
    return parts(b"Co", encode_items(value, depth))


def _counter(value: Counter[Any], depth: int) -> bytes:
    return encode_mapping(b"Cc", value, depth)


def _defaultdict(value: defaultdict[Any, Any], depth: int) -> bytes:
    return parts(b"Cd", [encode(value.default_factory, depth), encode_mapping(b"d", value, depth)])


def _deque(value: deque[Any], depth: int) -> bytes:
    return parts(b"Cq", [encode(value.maxlen, depth), encode_sequence(b"l", value, depth)])


ENCODERS: dict[type, Callable[[Any, int], bytes]] = {
    complex: _numbers(b"c", "real", "imag"),
    range: _numbers(b"R", "start", "stop", "step"),
    slice: _numbers(b"L", "start", "stop", "step"),
    type(...): lambda _value, _depth: b"E",
    dt.datetime: _datetime,
    dt.time: _datetime,
    dt.date: _text(b"Da"),
    dt.timedelta: _numbers(b"De", "days", "seconds", "microseconds"),
    dt.timezone: lambda value, depth: parts(
        b"Do", [encode(value.utcoffset(None), depth), text(b"s", value.tzname(None))]
    ),
    zoneinfo.ZoneInfo: _zone,
    decimal.Decimal: _text(b"Md"),
    fractions.Fraction: _numbers(b"Mf", "numerator", "denominator"),
    uuid.UUID: _text(b"U"),
    pathlib.PurePosixPath: _text(b"Pp"),
    pathlib.PureWindowsPath: _text(b"Pw"),
    pathlib.PosixPath: _text(b"PP"),
    pathlib.WindowsPath: _text(b"PW"),
    OrderedDict: _ordered,
    Counter: _counter,
    defaultdict: _defaultdict,
    deque: _deque,
    types.FunctionType: encode_named,
    types.BuiltinFunctionType: encode_named,
    type: encode_named,
}
