"""Lifetimes with random ends."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tiered_cache_policies.option_checks import part

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache_policies.contracts import NewValue

__all__ = ["Jittered"]


class Jittered:
    """The expiry policy that shortens each lifetime by a random part of it.

    Values that were written together then expire at different times, and are not all recomputed at
    once. A lifetime is never lengthened. A lifetime without a limit is unchanged.

    Args:
        fraction: The largest part to take off, above 0.0 and below 1.0.
        random: Returns a number from 0.0 to below 1.0; for tests.

    Raises:
        ValueError: `fraction` is out of its range.

    Thread-safe if `random` is; the default is.
    """

    def __init__(
        self, fraction: float = 0.1, *, random: Callable[[], float] = random.random
    ) -> None:
        self.fraction: float = part(fraction, "fraction")
        self._random = random

    def lifetime_s(self, new: NewValue) -> float:
        """The lifetime, less a random part of at most `fraction`."""
        return new.lifetime_s * (1.0 - self.fraction * self._random())
