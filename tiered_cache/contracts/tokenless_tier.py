"""The adapter of tiers that compare no tokens."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tiered_cache.contracts.items import ANY, UNKNOWN, Absent, Found, ItemT
from tiered_cache.contracts.wrapped_tier import WrappedTier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tiered_cache.contracts.items import Put
    from tiered_cache.contracts.offers import Offers
    from tiered_cache.contracts.tier import Tier

__all__ = ["TokenlessTier"]


class TokenlessTier(WrappedTier[ItemT]):
    """Gives `UNKNOWN` for each token of a tier with `Offers(compare_and_set=False)`.

    Whatever tokens such a tier makes, the engine fills nothing into it, and its changes need none.
    """

    def __init__(self, inner: Tier[ItemT]) -> None:
        super().__init__(inner)
        self.offers: Offers = replace(self.offers, heads=None, awaited=None, live=None)

    def get(self, key: str) -> Found[ItemT] | Absent:
        """The inner tier's answer, without its token."""
        return self.inner.get(key)._replace(token=UNKNOWN)

    def get_many(self, keys: Sequence[str]) -> dict[str, Found[ItemT] | Absent]:
        """The inner tier's answers, without their tokens."""
        answers = self.inner.get_many(keys)
        return {key: answer._replace(token=UNKNOWN) for key, answer in answers.items()}

    def put(self, key: str, put: Put[ItemT]) -> bool:
        """Store an item without a comparison."""
        return self.inner.put(key, put._replace(expected=ANY))

    def put_many(self, puts: Mapping[str, Put[ItemT]]) -> set[str]:
        """Store items without a comparison."""
        return self.inner.put_many({key: put._replace(expected=ANY) for key, put in puts.items()})
