"""Shared stores: other tiers over the same store see every change."""

# ruff: noqa: D102 - the name of a test is its description
from __future__ import annotations

import pytest

from tiered_cache.contracts import Absent, Put, make_tombstone
from tiered_cache.testing.thread_race import race
from tiered_cache.testing.tier_contract.hooks import TierContractBase

__all__ = ["SharedStoreContract"]

_ROUNDS = 10


class SharedStoreContract(TierContractBase):
    """The promises of a tier that several processes share: of any reach but `Reach.PROCESS`."""

    def test_another_tier_over_the_store_sees_the_same(self) -> None:
        one, two = self.open_tier(), self.open_tier()
        self.put(one, "key", b"from one")
        assert self.read(two, "key") == b"from one"
        self.put(two, "key", b"from two")
        assert self.read(one, "key") == b"from two"
        assert two.delete("key") is not False
        assert isinstance(one.get("key"), Absent)

    def test_what_was_put_is_there_after_a_restart(self) -> None:
        one = self.open_tier()
        self.put(one, "key", b"kept")
        one.close()
        assert self.read(self.open_tier(), "key") == b"kept"

    def test_law_4_another_tiers_delete_refuses_a_fill(self) -> None:
        one, two = self.open_tier(), self.open_tier()
        token = one.get("key").token
        two.delete("key")
        assert self.put(one, "key", b"late", expected=token) is False
        assert isinstance(one.get("key"), Absent)

    def test_one_fill_of_several_tiers_lands(self) -> None:
        tiers = [self.open_tier() for _ in range(4)]
        tokens = [tier.get("key").token for tier in tiers]
        landed = race(
            len(tiers),
            lambda number: self.put(tiers[number], "key", b"%d" % number, expected=tokens[number]),
        )
        assert landed.count(True) == 1
        assert self.read(tiers[0], "key") == b"%d" % landed.index(True)

    @pytest.mark.parametrize("prefix", ["", "ke"])
    def test_law_4_another_tiers_clear_refuses_fills_of_absent_keys(self, prefix: str) -> None:
        one, two = self.open_tier(), self.open_tier()
        token = one.get("key").token
        two.clear(prefix)
        assert self.put(one, "key", b"late", expected=token) is False
        assert isinstance(one.get("key"), Absent)

    @pytest.mark.parametrize("prefix", ["", "ke"])
    def test_law_5_another_tiers_clear_takes_the_tombstones_along(self, prefix: str) -> None:
        one, two = self.open_tier(), self.open_tier()
        if not one.holds_records:
            return
        vouching_s = (
            -self.clock.wall()
        )  # a tombstone that vouches for a copy above has such an instant
        one.put("key", Put(make_tombstone(vouching_s), 60.0))
        two.clear(prefix)
        answer = one.get("key")
        assert isinstance(answer, Absent)
        assert answer.deleted_s != pytest.approx(vouching_s), "it would vouch for the copy for ever"

    def test_law_4_no_fill_from_before_another_tiers_clear_outlives_it(self) -> None:
        one, two = self.open_tier(), self.open_tier()
        for _ in range(_ROUNDS):
            self.clear_while_filling(one, two)
