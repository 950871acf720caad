"""The limits of a disk tier, as its options state them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tiered_cache.entry import MIN_VALUE_BYTES
from tiered_cache.errors import ConfigurationError
from tiered_cache.units import parse_duration, parse_size

if TYPE_CHECKING:
    from tiered_cache.units import Duration, Size

__all__ = ["DiskLimits", "parse_limits"]

_MIN_BYTES = 2**20


class DiskLimits(NamedTuple):
    """The limits of a disk tier.

    Attributes:
        max_bytes: Most bytes on disk.
        timeout_s: Longest wait of a write for other threads, and again for other processes.
        max_value_bytes: The longest record.
    """

    max_bytes: int
    timeout_s: float
    max_value_bytes: int


def parse_limits(max_bytes: Size, timeout: Duration, max_value_bytes: Size) -> DiskLimits:
    """The limits that the options of a disk tier state.

    Raises:
        ConfigurationError: A limit is too small.
        InvalidSizeError, InvalidDurationError: An option is not a size or duration.
    """
    limits = DiskLimits(
        parse_size(max_bytes, name="max_bytes"),
        parse_duration(timeout, name="timeout"),
        parse_size(max_value_bytes, name="max_value_bytes"),
    )
    if limits.max_bytes < _MIN_BYTES:
        msg = f"max_bytes={max_bytes!r} of the disk tier must be at least 1MiB: an empty database alone takes 32 KiB"
        raise ConfigurationError(msg)
    if limits.max_value_bytes < MIN_VALUE_BYTES:
        msg = f"max_value_bytes={max_value_bytes!r} of the disk tier must be at least {MIN_VALUE_BYTES}: no record is shorter"
        raise ConfigurationError(msg)
    return limits
