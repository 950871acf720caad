"""Places: a tier remembers positions in change logs for all processes that share it."""

# ruff: noqa: D102 - the name of a test is its description
from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tiered_cache.contracts import Put
from tiered_cache.testing.tier_contract.hooks import TierContractBase

if TYPE_CHECKING:
    from tiered_cache.contracts import Places, Tier

__all__ = ["PlaceContract"]

_LOG, _OTHER_LOG = "log:a", "log:b"
_FAR = 1 << 100
"""A position beyond 64 bits, as in a log that counts milliseconds and sequence numbers."""


class PlaceContract(TierContractBase):
    """The promises of `contracts.Places`; for tiers that offer them."""

    def placed(self, tier: Tier[Any]) -> Places:
        places = tier.offers.places
        assert places is not None
        return places

    def fill(self, tier: Tier[Any], key: str, token: object) -> bool:
        item = self.make_item(tier, b"x")
        return tier.put(key, Put(item, math.inf, expected=token, fill=True))

    def test_a_place_is_remembered_for_each_log(self, tier: Tier[Any]) -> None:
        place = self.placed(tier)
        assert place.place_in(_LOG) is None
        place.set_place(_LOG, _FAR)
        place.set_place(_OTHER_LOG, 7)
        other = self.placed(self.open_tier())
        assert (other.place_in(_LOG), other.place_in(_OTHER_LOG)) == (_FAR, 7)
        other.set_place(_LOG, _FAR + 1)
        assert place.place_in(_LOG) == _FAR + 1

    def test_the_first_to_come_begins_an_empty_tier(self, tier: Tier[Any]) -> None:
        first, second = self.placed(tier), self.placed(self.open_tier())
        assert first.begin_place(_LOG, 5) == 5
        assert second.begin_place(_LOG, 6) == 5
        assert second.place_in(_LOG) == 5

    def test_a_tier_that_holds_something_has_no_beginning(self, tier: Tier[Any]) -> None:
        place = self.placed(tier)
        self.put(tier, "key")
        assert place.begin_place(_LOG, 5) is None
        assert place.place_in(_LOG) is None
        place.set_place(_LOG, 5)
        assert place.begin_place(_LOG, 6) == 5

    def test_law_4_a_fill_that_began_before_the_place_is_refused(self, tier: Tier[Any]) -> None:
        place = self.placed(tier)
        token = tier.get("key").token
        place.begin_place(_LOG, 5)
        assert not self.fill(tier, "key", token)

    def test_all_who_begin_together_can_fill(self, tier: Tier[Any]) -> None:
        tiers = [tier, self.open_tier(), self.open_tier()]
        for each in tiers:
            self.placed(each).begin_place(_LOG, 5)
        for number, each in enumerate(tiers):
            key = f"key {number}"
            assert self.fill(each, key, each.get(key).token)
