"""Lifetimes: an item is gone at the end of its lifetime, and not before."""

# ruff: noqa: D102 - the name of a test is its description
from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tiered_cache.contracts import Absent, Found, Put
from tiered_cache.testing.tier_contract.hooks import SHORT_S, TierContractBase

if TYPE_CHECKING:
    from tiered_cache.contracts import Tier

__all__ = ["LifetimeContract"]


class LifetimeContract(TierContractBase):
    """The promises about lifetimes and their ends."""

    def test_law_3_the_remaining_lifetime_is_no_longer_than_what_was_given(
        self, tier: Tier[Any]
    ) -> None:
        for lifetime in (1000.0, 0.5e9):
            self.put(tier, "key", lifetime_s=lifetime)
            answer = tier.get("key")
            assert isinstance(answer, Found)
            assert lifetime - 60 < answer.remaining_s <= lifetime

    def test_without_a_limit_it_stays(self, tier: Tier[Any]) -> None:
        self.put(tier, "key", lifetime_s=math.inf)
        answer = tier.get("key")
        assert isinstance(answer, Found)
        assert answer.remaining_s == math.inf
        if not self.native_time:
            self.clock.advance(1e9)
            assert self.read(tier, "key") == b"x"

    def test_law_3_what_is_expired_shows_nowhere(self, tier: Tier[Any]) -> None:
        self.put(tier, "kept", lifetime_s=1000.0)
        self.put(tier, "short", lifetime_s=SHORT_S)
        items = {"short-too": Put(self.make_item(tier, b"x"), SHORT_S)}
        tier.put_many(items)
        self.outlive(tier, SHORT_S)
        self.check_scan(tier, ["kept"])
        assert isinstance(tier.get("short"), Absent)
        assert isinstance(tier.get_many(["short-too"])["short-too"], Absent)
        assert self.read(tier, "kept") == b"x"

    def test_law_3_the_remaining_lifetime_shrinks(self, tier: Tier[Any]) -> None:
        self.put(tier, "key", lifetime_s=100.0)
        before = tier.get("key")
        self.outlive(tier, SHORT_S)
        after = tier.get("key")
        assert isinstance(before, Found)
        assert isinstance(after, Found)
        assert after.remaining_s < before.remaining_s

    def test_to_remove_what_is_expired_removes_nothing(self, tier: Tier[Any]) -> None:
        for key in ("short", "short-too", "short-as-well"):
            self.put(tier, key, lifetime_s=SHORT_S)
        self.outlive(tier, SHORT_S)
        assert tier.delete("short") is not True
        assert tier.delete_many(["short-too"]) in (0, None)
        assert tier.clear() in (0, None)

    def test_a_longer_lifetime_replaces_a_shorter_one(self, tier: Tier[Any]) -> None:
        for lifetime in (1000.0, math.inf):
            self.put(tier, "key", b"old", lifetime_s=SHORT_S)
            self.put(tier, "key", b"new", lifetime_s=lifetime)
            self.outlive(tier, SHORT_S)
            assert self.read(tier, "key") == b"new"

    def test_a_shorter_lifetime_replaces_a_longer_one(self, tier: Tier[Any]) -> None:
        for lifetime in (1000.0, math.inf):
            self.put(tier, "key", b"old", lifetime_s=lifetime)
            self.put(tier, "key", b"new", lifetime_s=SHORT_S)
            self.outlive(tier, SHORT_S)
            assert self.read(tier, "key") is None

    def test_what_is_expired_can_be_filled_again(self, tier: Tier[Any]) -> None:
        self.put(tier, "key", b"old", lifetime_s=SHORT_S)
        self.outlive(tier, SHORT_S)
        token = tier.get("key").token
        assert self.put(tier, "key", b"new", expected=token) is True
        assert self.read(tier, "key") == b"new"
