"""Numbers as short text: counts, bytes and durations for columns of a table."""

from __future__ import annotations

__all__ = ["amount", "size", "span"]


def amount(number: float | None) -> str:
    """A count in at most six characters: `1,234`, `56.8k`, `9.1M`; `""` for `None`."""
    if number is None:
        return ""
    for bound, unit, divisor in ((10_000, "", 1), (1e6, "k", 1e3), (1e9, "M", 1e6)):
        if number < bound:
            return f"{number / divisor:.1f}{unit}" if unit else f"{number:,.0f}"
    return f"{number / 1e9:,.1f}G"


def size(number: int | None) -> str:
    """Bytes in a few characters: `512 B`, `2.0 KiB`; `""` for `None`."""
    if number is None:
        return ""
    value = float(number)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 999.95:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:,.1f} TiB"


def span(seconds: float, *, microseconds: str = "us") -> str:
    """A duration in a few characters: `25.0 us`, `1.2 s`, `10.0 min`.

    Args:
        seconds: The duration; may be negative.
        microseconds: The unit below a millisecond, as the terminal can show it.
    """
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    for bound, unit, factor in ((1e-3, microseconds, 1e6), (1.0, "ms", 1e3), (120.0, "s", 1.0)):
        if seconds < bound:
            return f"{sign}{seconds * factor:.1f} {unit}" if seconds else "0 s"
    for bound, unit, divisor in ((7200.0, "min", 60.0), (172_800.0, "h", 3600.0)):
        if seconds < bound:
            return f"{sign}{seconds / divisor:.1f} {unit}"
    return f"{sign}{seconds / 86_400:,.1f} d"
