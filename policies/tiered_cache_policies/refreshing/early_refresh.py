"""Refresh at a random moment before the end, earlier for expensive values."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

from tiered_cache_policies.contracts import HitAction
from tiered_cache_policies.option_checks import positive

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache_policies.contracts import Hit

__all__ = ["EarlyRefresh"]

_WINDOW = 20.0
"""The window in costs. A hit before it would refresh once in e**20 times, so practically never."""


class EarlyRefresh:
    """The refresh policy that recomputes a value before its end, at a random hit (XFetch).

    The probability grows towards the end, and with the measured cost: a value that takes a minute
    to compute is refreshed minutes before its end, a value of a millisecond just before it. One of
    many callers and processes is likely to be first, without any lock.

    Source: Vattani, Chierichetti and Lowenstein, "Optimal Probabilistic Cache Stampede Prevention",
    VLDB 2015.

    Args:
        beta: Above 1.0 refreshes earlier, below 1.0 later.
        random: Returns a number from 0.0 to below 1.0; for tests.

    Raises:
        ValueError: `beta` is not a positive, finite number.

    Thread-safe if `random` is; the default is.
    """

    def __init__(self, beta: float = 1.0, *, random: Callable[[], float] = random.random) -> None:
        self.beta: float = positive(beta, "beta")
        self._random = random

    def window_s(self, lifetime_s: float, cost_s: float) -> float:
        """The seconds before the end in which a hit may refresh."""
        return min(lifetime_s, self.beta * cost_s * _WINDOW)

    def on_hit(self, hit: Hit) -> HitAction:
        """Refresh if the random lead reaches the end of the value."""
        ahead_s = -self.beta * hit.cost_s * math.log(1.0 - self._random())
        return HitAction(refresh=ahead_s >= hit.remaining_s)
