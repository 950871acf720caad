"""The published report of a process, encoded and decoded. Bytes from a board are hostile (law 9)."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar

import msgspec

from tiered_cache.stats.snapshot.cache_stats import CacheStats
from tiered_cache.stats.snapshot.merge import trimmed
from tiered_cache.stats.snapshot.tier_stats import CURVE_SIZES
from tiered_cache_policies.latency_histogram import LatencyHistogram

__all__ = [
    "ProcessReport",
    "Totals",
    "UnknownFormatError",
    "decode_report",
    "decode_totals",
    "encode",
]

FORMAT = 1
"""The version of published data. A reader counts other versions as unreadable."""

MAX_GROUPS = 100
"""Bound on the views and on the functions in a report; the rest count as `OTHERS`."""

_MAX_TEXT = 4096
_MAX_ITEMS = 1000
_MAX_BUCKET = 1 << 11
_MAX_AMOUNT = 1e15
"""Bound on seconds and estimates, so that the sums of all processes stay finite."""

_MAX_INSTANT_S = 1e11
"""Bound on instants: a later one is not a date."""

_INSTANTS = frozenset({"at_s", "started_s"})


class UnknownFormatError(ValueError):
    """The data has the format of another release."""


class ProcessReport(msgspec.Struct, frozen=True, kw_only=True):
    """The published numbers of one process and one cache.

    Attributes:
        name: The name of its notice, unique among all processes.
        host: The name of its host.
        pid: Its process id.
        program: The name of its program.
        started_s: The instant at which the cache was opened, wall clock of that host.
        at_s: The instant of the snapshot.
        stats: The snapshot.
        format: The version of the published data.
    """

    name: str
    host: str
    pid: int
    program: str
    started_s: float
    at_s: float
    stats: CacheStats
    format: int = FORMAT


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """The sum of the numbers of ended processes, or of all processes at one moment.

    Attributes:
        at_s: The instant of the sum, wall clock.
        gone: The number of ended processes.
        stats: Their snapshots, merged.
        format: The version of the published data.
    """

    at_s: float
    gone: int
    stats: CacheStats
    format: int = FORMAT


T = TypeVar("T", ProcessReport, Totals)


def _plain(value: object) -> object:
    if isinstance(value, LatencyHistogram):
        return value.buckets
    raise NotImplementedError


def _histogram(kind: type, value: Any) -> LatencyHistogram:
    if kind is not LatencyHistogram:
        raise NotImplementedError
    fine = isinstance(value, dict) and {*map(type, value), *map(type, value.values())} <= {int}
    if not fine or (value and (min(value) < 0 or max(value) >= _MAX_BUCKET)):
        msg = "the histogram is malformed; expected counts by bucket number"
        raise ValueError(msg)
    if value and min(value.values()) < 0:
        msg = "the histogram has a negative count; expected 0 or more"
        raise ValueError(msg)
    return LatencyHistogram(value)


class _Head(msgspec.Struct):
    format: int


_heads = msgspec.msgpack.Decoder(_Head)
_encoder = msgspec.msgpack.Encoder(enc_hook=_plain)
_reports = msgspec.msgpack.Decoder(ProcessReport, dec_hook=_histogram)
_totals = msgspec.msgpack.Decoder(Totals, dec_hook=_histogram)


def encode(published: ProcessReport | Totals) -> bytes:
    """The bytes of a report or of totals, trimmed to `MAX_GROUPS`."""
    stats = trimmed(published.stats, MAX_GROUPS)
    return _encoder.encode(msgspec.structs.replace(published, stats=stats))


def decode_report(data: bytes) -> ProcessReport:
    """The report in `data`.

    Raises:
        ValueError: It is not a valid report.
    """
    return _checked(_reports.decode(_known(data)))


def decode_totals(data: bytes) -> Totals:
    """The totals in `data`.

    Raises:
        ValueError: They are not valid totals.
    """
    return _checked(_totals.decode(_known(data)))


def _known(data: bytes) -> bytes:
    """`data`, if it has this release's format."""
    if (found := _heads.decode(data).format) != FORMAT:
        msg = f"format {found} is unknown; expected {FORMAT}"
        raise UnknownFormatError(msg)
    return data


def _checked(found: T) -> T:
    """`found`, if its numbers are finite and its parts within their bounds."""
    _check(found)
    return found


def _check(found: Any) -> None:
    kind: Any = type(found)
    for name in _names(kind):
        value = getattr(found, name)
        if value.__class__ is int:
            fine = value >= 0
        elif value.__class__ is float:
            most = _MAX_INSTANT_S if name in _INSTANTS else _MAX_AMOUNT
            fine = abs(value) <= most or (value == math.inf and name == "staleness_bound_s")
        elif value.__class__ is str:
            fine = len(value) <= _MAX_TEXT
        elif value.__class__ is tuple:
            fine = len(value) <= _MAX_ITEMS and _fits(name, value)
        else:
            fine = True
            _check(value)
        if not fine:
            msg = f"{name} is out of range"
            raise ValueError(msg)


def _fits(name: str, values: tuple[Any, ...]) -> bool:
    """Whether the items of a field are valid; raises as `_check` does."""
    if name == "curve":
        small = [abs(each) <= _MAX_AMOUNT for each in values]
        return len(values) in (0, len(CURVE_SIZES)) and all(small)
    for each in values:
        _check(each)
    return True


@cache
def _names(kind: Any) -> tuple[str, ...]:
    """The fields of a published class; none for types without checks."""
    if is_dataclass(kind):
        return tuple(each.name for each in fields(kind))
    named: tuple[str, ...] = getattr(kind, "__struct_fields__", getattr(kind, "_fields", ()))
    return named
