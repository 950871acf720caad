"""One change of a breaker, as snapshots keep it."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["BreakerChange"]


class BreakerChange(NamedTuple):
    """One change of a breaker.

    Attributes:
        at_s: The instant, wall clock.
        state: The new state: `closed`, `open` or `half_open`.
    """

    at_s: float
    state: str
