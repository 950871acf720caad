"""Promote by chance."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tiered_cache_policies.option_checks import share

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache_policies.contracts import FoundBelow, TierFacts

__all__ = ["Probabilistic"]


class Probabilistic:
    """The promotion policy that copies a hit into each faster tier with a probability.

    What is hit often is promoted soon, what is hit once rarely, and nothing is remembered for it:
    a tenth of the promotions of `Always` brings nearly all of its hits.

    Args:
        probability: Above 0.0 and at most 1.0.
        random: Gives a number from 0.0 to below 1.0; for tests.

    Raises:
        ValueError: `probability` is out of its range.

    Thread-safe as far as `random` is, and the default is.
    """

    def __init__(
        self, probability: float = 0.1, *, random: Callable[[], float] = random.random
    ) -> None:
        self.probability = share(probability, "probability")
        self._random = random

    def promote(self, found: FoundBelow, into: TierFacts) -> bool:
        """Whether chance says so, for this tier by itself."""
        return self._random() < self.probability
