"""Fences: earlier fills are refused, and nothing is removed."""

# ruff: noqa: D102 - the name of a test is its description
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache.contracts import Absent, Change
from tiered_cache.testing.tier_contract.hooks import SHORT_S, TierContractBase

if TYPE_CHECKING:
    from tiered_cache.contracts import Tier

__all__ = ["FenceContract"]


class FenceContract(TierContractBase):
    """The promises of `Offers.fence`, for tiers that offer it."""

    def fence(self, tier: Tier[Any], prefix: str) -> None:
        fence = tier.offers.fence
        assert fence is not None
        fence(prefix)

    def test_law_4_a_fence_refuses_fills_that_began_before_it_and_removes_nothing(
        self, tier: Tier[Any]
    ) -> None:
        self.put(tier, "there")
        token = tier.get("key").token
        self.fence(tier, "")
        assert self.put(tier, "key", b"late", expected=token) is False
        assert self.read(tier, "there") == b"x"
        assert self.put(tier, "key", b"new", expected=tier.get("key").token) is True

    def test_law_4_an_expired_key_has_the_token_of_an_unused_one_and_a_removed_key_another(
        self, tier: Tier[Any]
    ) -> None:
        self.put(tier, "expires", lifetime_s=SHORT_S)
        self.put(tier, "cleared")
        self.put(tier, "deleted")
        self.outlive(tier, SHORT_S)
        unused = tier.get("unused").token
        assert tier.get("expires") == Absent(unused)
        tier.delete("deleted")
        assert tier.get("deleted").token != unused
        tier.clear("cleared")
        assert tier.get("cleared").token != unused

    def test_a_fence_is_logged_as_a_change_of_all_keys_with_its_prefix(
        self, tier: Tier[Any]
    ) -> None:
        log = tier.offers.change_log
        if log is None:
            return  # nothing to log it in
        position = log.read(None).position
        self.fence(tier, "a/")
        changes = [each._replace(origin="", made_s=None) for each in log.read(position).changes]
        assert changes == [Change("", "a/", is_prefix=True)]
