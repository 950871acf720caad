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
    """Bytes in few characters: `512 B`, `2.0 KiB`, `101 MiB`; `""` for `None`."""
    if number is None:
        return ""
    value = float(number)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 999.5:
            return f"{value:.0f} B" if unit == "B" else f"{_digits(value)} {unit}"
        value /= 1024
    return f"{_digits(value)} TiB"


def span(seconds: float, *, microseconds: str = "µs") -> str:
    """A duration in few characters: `25.0 µs`, `1.2 s`, `10.0 min`.

    Args:
        seconds: The duration; may be negative.
        microseconds: The unit below a millisecond, as the terminal can show it.
    """
    if not seconds:
        return "0 s"
    sign, value = ("-", -seconds) if seconds < 0 else ("", seconds)
    if value < 0.05e-6:
        return f"<0.1 {microseconds}"
    for bound, unit, divisor in (
        (0.9995e-3, microseconds, 1e-6),
        (0.9995, "ms", 1e-3),
        (120.0, "s", 1.0),
        (7200.0, "min", 60.0),
        (172_800.0, "h", 3600.0),
    ):
        if value < bound:
            return f"{sign}{_digits(value / divisor)} {unit}"
    return f"{sign}{_digits(value / 86_400)} d"


def _digits(value: float) -> str:
    """One decimal, or none from 100 on."""
    return f"{value:,.0f}" if value >= 99.95 else f"{value:.1f}"
