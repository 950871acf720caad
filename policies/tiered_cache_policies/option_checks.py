"""Checks of numeric options. The error names the option and the allowed range."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["part", "positive", "share"]


def share(value: float, name: str) -> float:
    """`value` as a share: above 0.0 and at most 1.0.

    Raises:
        ValueError: It is not a number, or out of this range.
    """
    return _number(value, name, "above 0.0 and at most 1.0", lambda number: 0.0 < number <= 1.0)


def part(value: float, name: str) -> float:
    """`value` as a part that is less than the whole: above 0.0 and below 1.0.

    Raises:
        ValueError: It is not a number, or out of this range.
    """
    return _number(value, name, "above 0.0 and below 1.0", lambda number: 0.0 < number < 1.0)


def positive(value: float, name: str) -> float:
    """`value` as a positive, finite number.

    Raises:
        ValueError: It is not a number, or not positive and finite.
    """
    allowed = "a positive, finite number"
    return _number(value, name, allowed, lambda number: 0.0 < number < math.inf)


def _number(value: object, name: str, allowed: str, fits: Callable[[float], bool]) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and fits(value):
        return float(value)
    msg = f"{name}={value!r} must be {allowed}"
    raise ValueError(msg)
