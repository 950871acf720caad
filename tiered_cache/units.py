"""Durations and sizes: parsed from arguments and settings, and written as short texts.

A value that can't be parsed raises one of this package's errors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tiered_cache.errors import InvalidDurationError, InvalidSizeError
from tiered_cache_policies import quantities
from tiered_cache_policies.quantities import Duration, Size

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "TTL",
    "Duration",
    "Size",
    "bytes_text",
    "parse_duration",
    "parse_lifetime",
    "parse_size",
    "seconds_text",
]

_TIMES = (
    (86_400.0, "d"),
    (3600.0, "h"),
    (60.0, "min"),
    (1.0, "s"),
    (1e-3, "ms"),
    (1e-6, "µs"),
    (1e-9, "ns"),
)
_SIZES = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B"))

TTL = Duration | Callable[[Any], Duration | None] | None
"""A lifetime, `None` for no limit, or a function from a value to its lifetime."""


def parse_duration(value: Duration, *, name: str = "duration") -> float:
    """A duration in seconds; see `tiered_cache_policies.quantities.parse_duration`.

    Raises:
        InvalidDurationError: The value is not a duration, is negative or NaN, or is longer than 100
            years.
    """
    try:
        return quantities.parse_duration(value, name=name)
    except ValueError as error:
        raise InvalidDurationError(str(error)) from None


def parse_lifetime(
    value: Duration | None, *, name: str = "ttl", no_limit: str = "use None for no limit"
) -> float:
    """A lifetime in seconds; see `tiered_cache_policies.quantities.parse_lifetime`.

    Raises:
        InvalidDurationError: As for `parse_duration`, and for zero.
    """
    try:
        return quantities.parse_lifetime(value, name=name, no_limit=no_limit)
    except ValueError as error:
        raise InvalidDurationError(str(error)) from None


def parse_size(value: Size, *, name: str = "size") -> int:
    """A size in bytes; see `tiered_cache_policies.quantities.parse_size`.

    Raises:
        InvalidSizeError: The value is not a size, is less than one byte, or is 8 EiB or more.
    """
    try:
        return quantities.parse_size(value, name=name)
    except ValueError as error:
        raise InvalidSizeError(str(error)) from None


def seconds_text(seconds: float) -> str:
    """Seconds in three digits and a unit, such as `"12.5 ms"`."""
    return _in_largest(seconds, _TIMES) if seconds else "0 s"


def bytes_text(size: float) -> str:
    """Bytes in three digits and a binary unit, such as `"1.5 MiB"`."""
    return _in_largest(size, _SIZES)


def _in_largest(value: float, units: Iterable[tuple[float, str]]) -> str:
    """`value` in the largest unit of which it is at least one."""
    size = abs(value)
    *_, (smallest, name) = units
    for factor, unit in units:
        if size >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value / smallest:.3g} {name}"
