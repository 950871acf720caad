"""Promote a hit with a probability."""

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

    An entry with many hits is promoted soon, an entry with one hit seldom. No counts are kept. A
    tenth of the promotions of `Always` gives nearly all of its hits.

    Args:
        probability: Above 0.0 and at most 1.0.
        random: Returns a number from 0.0 to below 1.0; for tests.

    Raises:
        ValueError: `probability` is out of its range.

    Thread-safe if `random` is; the default is.
    """

    def __init__(
        self, probability: float = 0.1, *, random: Callable[[], float] = random.random
    ) -> None:
        self.probability: float = share(probability, "probability")
        self._random = random

    def promote(self, found: FoundBelow, into: TierFacts) -> bool:
        """True with the probability; decided for each tier separately."""
        return self._random() < self.probability
