"""Durations and sizes from arguments and settings; a bad one raises one of this package's errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tiered_cache.errors import InvalidDurationError, InvalidSizeError
from tiered_cache_policies import quantities
from tiered_cache_policies.quantities import Duration, Size

__all__ = ["TTL", "Duration", "Size", "parse_duration", "parse_lifetime", "parse_size"]


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


def parse_lifetime(value: Duration | None, *, name: str = "ttl") -> float:
    """A lifetime in seconds; `math.inf` for `None` and `math.inf`, which mean no limit.

    Raises:
        InvalidDurationError: As for `parse_duration`, and for zero.
    """
    try:
        return quantities.parse_lifetime(value, name=name)
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
