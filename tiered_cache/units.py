"""Durations and sizes as people write them, refused in the words of this package's errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tiered_cache.errors import InvalidDurationError
from tiered_cache_policies import quantities
from tiered_cache_policies.quantities import Duration, Size

__all__ = ["TTL", "Duration", "Size", "parse_duration", "parse_lifetime", "parse_size"]


TTL = Duration | Callable[[Any], Duration | None] | None
"""A lifetime, or a function that says the lifetime of a value."""


def parse_duration(value: Duration, *, name: str = "duration") -> float:
    """Seconds of a duration; see `tiered_cache_policies.quantities.parse_duration`.

    Raises:
        InvalidDurationError: It is negative, NaN, longer than 100 years or not a duration.
    """
    try:
        return quantities.parse_duration(value, name=name)
    except ValueError as error:
        raise InvalidDurationError(str(error)) from None


def parse_lifetime(value: Duration | None, *, name: str = "ttl") -> float:
    """Seconds that an entry may live; `None` and `math.inf` are no limit, infinity.

    Raises:
        InvalidDurationError: As `parse_duration`, and for zero.
    """
    try:
        return quantities.parse_lifetime(value, name=name)
    except ValueError as error:
        raise InvalidDurationError(str(error)) from None


def parse_size(value: Size, *, name: str = "size") -> int:
    """Bytes of a size; see `tiered_cache_policies.quantities.parse_size`.

    Raises:
        InvalidDurationError: It is not a size of at least one byte.
    """
    try:
        return quantities.parse_size(value, name=name)
    except ValueError as error:
        raise InvalidDurationError(str(error)) from None
