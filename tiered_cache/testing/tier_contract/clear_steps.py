"""Steps: a long clear reports its progress."""

# ruff: noqa: D102 - the name of a test is its description
from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tiered_cache.contracts import Put
from tiered_cache.testing.tier_contract.hooks import TierContractBase

if TYPE_CHECKING:
    from tiered_cache.contracts import Tier

__all__ = ["StepsContract"]


class StepsContract(TierContractBase):
    """The promises of `Offers.steps`, for tiers that offer it."""

    def test_a_clear_in_steps_tells_how_far_it_is(self, tier: Tier[Any]) -> None:
        clear_in_steps = tier.offers.steps
        assert clear_in_steps is not None
        keys = {f"key-{number:04}" for number in range(1200)}
        tier.put_many({key: Put(self.make_item(tier, b"x"), math.inf) for key in keys})
        self.put(tier, "other", b"other")
        told: list[int] = []
        assert clear_in_steps("key-", told.append) == len(keys)
        assert told == sorted(told)
        assert told[-1] == len(keys)
        assert len(told) > 1
        self.check_scan(tier, ["other"])
