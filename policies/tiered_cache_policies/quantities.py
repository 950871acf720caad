"""Durations and sizes, as numbers or as text such as `"250ms"`, `"1d"` and `"512MiB"`."""

# pyright: reportUnnecessaryIsInstance=false
# Callers without a type checker pass other types.
from __future__ import annotations

import datetime as dt
import math
import re

__all__ = ["Duration", "Size", "parse_duration", "parse_lifetime", "parse_size"]

Duration = float | int | str | dt.timedelta
Size = int | str

_SECONDS = {
    "": 1.0,
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 604800.0,
}
_BYTES = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", re.ASCII)
_UNLIMITED = frozenset({"never", "none", "null", "inf", "infinite", "infinity", "forever"})
_MAX_BYTES = 2**63 - 1024
"""The largest size that SQLite and file systems can count and that a float holds."""
_MAX_SECONDS = 100 * 365.25 * 86400.0
"""A century. Anything longer is a mistake, and near 2**53 microseconds a float clock stops ticking."""


def parse_duration(value: Duration, *, name: str = "duration") -> float:
    """A duration in seconds.

    Args:
        value: A number of seconds, a `timedelta`, or text such as `"250ms"`, `"10m"`, `"60"`.
            Units: ms, s, m or min, h, d, w. A number without a unit is seconds.
        name: The name of the option, for the error message.

    Raises:
        ValueError: The value is not a duration, is negative or NaN, or is longer than 100 years.
    """
    seconds = _seconds(value, name, "write at most 100 years")
    if seconds < 0:
        msg = f"{name}={value!r} is not a duration: expected zero seconds or more"
        raise ValueError(msg)
    return seconds


def parse_lifetime(
    value: Duration | None, *, name: str = "ttl", no_limit: str = "use None for no limit"
) -> float:
    """A lifetime in seconds; `math.inf` for `None` and `math.inf`, which mean no limit.

    Args:
        value: A duration as for `parse_duration`, `None` or `math.inf`.
        name: The name of the option, for the error message.
        no_limit: The way to write no limit, for the error message.

    Raises:
        ValueError: As for `parse_duration`, and for zero: the entry would expire on arrival,
            which is a mistake in nearly every program.
    """
    if type(value) is float and 0.0 < value <= _MAX_SECONDS:
        return value
    if value is None or value == math.inf:
        return math.inf
    if isinstance(value, str) and value.strip().lower() in _UNLIMITED:
        msg = f"{name}={value!r} is not a duration: {no_limit}"
        raise ValueError(msg)
    seconds = _seconds(value, name, no_limit)
    if seconds < 0:
        msg = f"{name}={value!r} is not a duration: expected more than zero seconds"
        raise ValueError(msg)
    if seconds == 0:
        msg = f"{name}={value!r} would expire at once: expected more than zero seconds; {no_limit}, delete the key to remove it, or don't store the value"
        raise ValueError(msg)
    return seconds


def parse_size(value: Size, *, name: str = "size") -> int:
    """A size in bytes.

    Args:
        value: A number of bytes, or text such as `"512MiB"`, `"8MB"`, `"4096"`. Units: B, KB to TB
            (powers of 1000), KiB to TiB (powers of 1024). A number without a unit is bytes.
        name: The name of the option, for the error message.

    Raises:
        ValueError: The value is not a size, is less than one byte, or is 8 EiB or more.
    """
    if isinstance(value, str):
        match = _QUANTITY.fullmatch(value)
        if match is None or match[2].lower() not in _BYTES:
            msg = f"{name}={value!r} is not a size: write bytes, or a number with one of KB MB GB TB KiB MiB GiB TiB, such as '512MiB'"
            raise ValueError(msg)
        size = float(match[1]) * _BYTES[match[2].lower()]
    elif isinstance(value, int) and not isinstance(value, bool):
        size = value
    else:
        msg = f"{name} must be a number of bytes or a string such as '512MiB', not {type(value).__name__}"
        raise ValueError(msg)
    if not 1 <= size <= _MAX_BYTES:
        msg = f"{name}={value!r} is not a size: it must be at least 1 byte and less than 8 EiB"
        raise ValueError(msg)
    return int(size)


def _seconds(value: Duration, name: str, too_long: str) -> float:
    """`value` in seconds, maybe negative; `too_long` is the remedy for more than 100 years."""
    try:
        seconds = _converted(value, name)
    except OverflowError:
        msg = f"{name} is too large for a number of seconds: {too_long}"
        raise ValueError(msg) from None
    if math.isnan(seconds):
        msg = f"{name}={value!r} is not a duration: expected a number of seconds"
        raise ValueError(msg)
    if seconds > _MAX_SECONDS:
        msg = f"{name}={value!r} is longer than 100 years: {too_long}"
        raise ValueError(msg)
    return seconds


def _converted(value: Duration, name: str) -> float:
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, str):
        match = _QUANTITY.fullmatch(value)
        if match is None or match[2].lower() not in _SECONDS:
            units = " ".join(filter(None, _SECONDS))
            msg = f"{name}={value!r} is not a duration: write seconds, or a number with one of {units}, such as '10m'"
            raise ValueError(msg)
        return float(match[1]) * _SECONDS[match[2].lower()]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    msg = (
        f"{name} must be seconds, a timedelta or a string such as '10m', not {type(value).__name__}"
    )
    raise ValueError(msg)
