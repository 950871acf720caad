"""Offers: each ability that a tier offers is tested."""

# ruff: noqa: D102 - the name of a test is its description
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tiered_cache.contracts import TOKEN_BYTES, Reach
from tiered_cache.testing.tier_contract.clear_steps import StepsContract
from tiered_cache.testing.tier_contract.fences import FenceContract
from tiered_cache.testing.tier_contract.hooks import TierContractBase
from tiered_cache.testing.tier_contract.lease_holders import LeaseContract
from tiered_cache.testing.tier_contract.log_places import PlaceContract
from tiered_cache.testing.tier_contract.logged_changes import ChangeLogContract
from tiered_cache.testing.tier_contract.notices import BoardContract
from tiered_cache.testing.tier_contract.record_heads import HeadsContract
from tiered_cache.testing.tier_contract.shared_store import SharedStoreContract
from tiered_cache.testing.tier_contract.tokens import TokenContract

if TYPE_CHECKING:
    from tiered_cache.contracts import Tier

__all__ = ["OffersContract"]

_SUITES: dict[str, type[TierContractBase]] = {
    "leases": LeaseContract,
    "change_log": ChangeLogContract,
    "board": BoardContract,
    "places": PlaceContract,
    "fence": FenceContract,
    "steps": StepsContract,
    "heads": HeadsContract,
}


class OffersContract(TierContractBase):
    """The test class must inherit the suite of each ability that the tier offers."""

    def test_each_offered_ability_has_its_suite(self, tier: Tier[Any]) -> None:
        needed = [
            suite for name, suite in _SUITES.items() if getattr(tier.offers, name) is not None
        ]
        if tier.offers.compare_and_set:
            needed.append(TokenContract)
            if tier.reach > Reach.PROCESS:
                needed.append(SharedStoreContract)
        missing = [suite.__name__ for suite in needed if not isinstance(self, suite)]
        assert not missing, (
            f"the tier offers more than is tested: let {type(self).__name__} inherit "
            f"{', '.join(missing)} of tiered_cache.testing as well"
        )

    def test_a_record_of_the_longest_length_is_stored(self, tier: Tier[Any]) -> None:
        most = tier.offers.max_item_bytes
        if most is not None:
            payload = b"x" * (most - TOKEN_BYTES)
            assert self.put(tier, "key", payload) is True
            assert self.read(tier, "key") == payload

    def test_abilities_that_are_not_offered_are_named(self, tier: Tier[Any]) -> None:
        absent = [name for name in _SUITES if getattr(tier.offers, name) is None]
        if absent:
            pytest.skip(f"the tier does not offer: {', '.join(absent)}")
