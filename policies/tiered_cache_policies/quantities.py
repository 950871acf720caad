"""Durations and sizes as people write them: `"250ms"`, `"1d"`, `"512MiB"`."""

from __future__ import annotations

import datetime as dt
import math
import re

__all__ = ["Duration", "Size", "parse_duration", "parse_lifetime", "parse_size"]

Duration = float | int | str | dt.timedelta
Size = int | str

_SECONDS = {
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
_MAX_BYTES = 2**63 - 1024
"""What SQLite and file systems can count, and a float can hold."""
_MAX_SECONDS = 100 * 365.25 * 86400.0
"""A century: longer is a mistake, and near 2**53 microseconds a float clock loses its ticks."""


def parse_duration(value: Duration, *, name: str = "duration") -> float:
    """Seconds of a duration.

    Args:
        value: A number of seconds, a `timedelta`, or a string such as `"250ms"`, `"10m"`, `"1d"`
            (units: ms, s, m or min, h, d, w).
        name: What the duration is, for the message.

    Raises:
        ValueError: It is negative, NaN, longer than 100 years or not a duration.
    """
    if isinstance(value, dt.timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, str):
        match = _QUANTITY.fullmatch(value)
        if match is None or match[2].lower() not in _SECONDS:
            msg = f"{name}={value!r} is not a duration: write seconds, or a number with one of {_names(_SECONDS)}, such as '10m'"
            raise ValueError(msg)
        seconds = float(match[1]) * _SECONDS[match[2].lower()]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = _to_float(value, name)
    else:
        msg = f"{name} must be seconds, a timedelta or a string such as '10m', not {type(value).__name__}"
        raise ValueError(msg)
    if math.isnan(seconds) or seconds < 0:
        msg = f"{name}={value!r} is not a duration: it must be a number of seconds of zero or more"
        raise ValueError(msg)
    if seconds > _MAX_SECONDS:
        msg = f"{name}={value!r} is longer than 100 years: use None for no limit"
        raise ValueError(msg)
    return seconds


def parse_lifetime(value: Duration | None, *, name: str = "ttl") -> float:
    """Seconds that an entry may live; `None` and `math.inf` are no limit, infinity.

    Raises:
        ValueError: As `parse_duration`, and for zero: an entry that is gone when it
            arrives is a mistake in nearly every program that asks for it.
    """
    if type(value) is float and 0.0 < value <= _MAX_SECONDS:
        return value
    if value is None or value == math.inf:
        return math.inf
    seconds = parse_duration(value, name=name)
    if seconds == 0:
        msg = f"{name}={value!r} would expire at once: use delete() to remove a key, None for no limit, or don't store the value"
        raise ValueError(msg)
    return seconds


def parse_size(value: Size, *, name: str = "size") -> int:
    """Bytes of a size.

    Args:
        value: A number of bytes, or a string such as `"512MiB"`, `"8MB"` (units: B, KB to TB in
            powers of 1000, KiB to TiB in powers of 1024).
        name: What the size is, for the message.

    Raises:
        ValueError: It is not a size of at least one byte.
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


def _to_float(value: float, name: str) -> float:
    try:
        return float(value)
    except OverflowError:
        msg = f"{name} is too large for a number of seconds: use None for no limit"
        raise ValueError(msg) from None


def _names(units: dict[str, float]) -> str:
    return " ".join(units)
