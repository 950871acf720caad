"""Seconds and bytes as short texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["bytes_text", "seconds_text"]

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
