"""What a process publishes of itself, and reading what others did: bytes from below are hostile."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar

import msgspec

from tiered_cache.stats.snapshot.cache_stats import CacheStats
from tiered_cache.stats.snapshot.merge import trimmed
from tiered_cache.stats.snapshot.tier_stats import CURVE_SIZES
from tiered_cache_policies.statistics.histogram import LatencyHistogram

__all__ = [
    "ProcessReport",
    "Totals",
    "UnknownFormatError",
    "decode_report",
    "decode_totals",
    "encode",
]

FORMAT = 1
"""Of what is published. A reader ignores the others: they count as not readable."""

MAX_GROUPS = 100
"""How many namespaces and functions a process publishes; the rest of each counts together."""

_MAX_TEXT = 4096
_MAX_ITEMS = 1000
_MAX_BUCKET = 1 << 11
_MAX_AMOUNT = 1e15
"""Of seconds and of what is estimated: so that sums stay finite, however many processes there are."""

_MAX_INSTANT_S = 1e11
"""Later ones are no dates."""

_INSTANTS = frozenset({"at_s", "started_s"})


class UnknownFormatError(ValueError):
    """Something was published by another release."""


class ProcessReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one process did with one cache, as it published it.

    Attributes:
        name: Under which it publishes, unique among all processes.
        host: The name of its host.
        pid: Its process id there.
        program: What it runs.
        started_s: When the cache was opened, wall clock of that host.
        at_s: When the snapshot was taken.
        stats: What it did since.
        format: The version of what is published.
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
    """What processes did that are gone, or what all did up to a moment.

    Attributes:
        at_s: Up to when.
        gone: How many processes are gone.
        stats: What they did.
        format: The version of what is published.
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
        msg = "no histogram"
        raise ValueError(msg)
    if value and min(value.values()) < 0:
        msg = "a histogram counts less than nothing"
        raise ValueError(msg)
    return LatencyHistogram(value)


class _Head(msgspec.Struct):
    format: int


_heads = msgspec.msgpack.Decoder(_Head)
_encoder = msgspec.msgpack.Encoder(enc_hook=_plain)
_reports = msgspec.msgpack.Decoder(ProcessReport, dec_hook=_histogram)
_totals = msgspec.msgpack.Decoder(Totals, dec_hook=_histogram)


def encode(published: ProcessReport | Totals) -> bytes:
    """The bytes to publish."""
    stats = trimmed(published.stats, MAX_GROUPS)
    return _encoder.encode(msgspec.structs.replace(published, stats=stats))


def decode_report(data: bytes) -> ProcessReport:
    """A process's report; `ValueError` for anything else."""
    return _checked(_reports.decode(_known(data)))


def decode_totals(data: bytes) -> Totals:
    """Totals; `ValueError` for anything else."""
    return _checked(_totals.decode(_known(data)))


def _known(data: bytes) -> bytes:
    """`data`, if it is of the format that this release knows."""
    if (found := _heads.decode(data).format) != FORMAT:
        msg = f"format {found} is not known here"
        raise UnknownFormatError(msg)
    return data


def _checked(found: T) -> T:
    """`found`, if its numbers can be reckoned with and it is bounded."""
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
            msg = f"{name} is out of its range"
            raise ValueError(msg)


def _fits(name: str, values: tuple[Any, ...]) -> bool:
    """Whether each of several is fine, by itself and for what it is."""
    if name == "curve":
        small = [abs(each) <= _MAX_AMOUNT for each in values]
        return len(values) in (0, len(CURVE_SIZES)) and all(small)
    for each in values:
        _check(each)
    return True


@cache
def _names(kind: Any) -> tuple[str, ...]:
    """The names of what a published class has; none for what needs no check."""
    if is_dataclass(kind):
        return tuple(each.name for each in fields(kind))
    named: tuple[str, ...] = getattr(kind, "__struct_fields__", getattr(kind, "_fields", ()))
    return named
