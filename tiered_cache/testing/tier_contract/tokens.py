"""Tokens: a fill lands only if the key is unchanged since the token was read."""

# ruff: noqa: D102 - the name of a test is its description
from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from tiered_cache.contracts import ANY, TOMBSTONE_LIFETIME_S, Absent, Found, Put
from tiered_cache.testing.thread_race import race
from tiered_cache.testing.tier_contract.hooks import TierContractBase

if TYPE_CHECKING:
    from tiered_cache.contracts import Tier

__all__ = ["TokenContract"]

_RACERS = 32

_ROUNDS = 10


class TokenContract(TierContractBase):
    """The promises of `Put.expected`.

    A tier may refuse more than it must, for example because one counter covers the deletions of many
    keys. So the tests read tokens that must be accepted after the last change of any key.
    """

    def test_a_fill_lands_where_nothing_happened(self, tier: Tier[Any]) -> None:
        token = self._token_of_absent(tier, "key")
        assert self.put(tier, "key", b"fill", expected=token) is True
        assert self.read(tier, "key") == b"fill"

    def test_a_token_outlives_reads(self, tier: Tier[Any]) -> None:
        token = self._token_of_absent(tier, "key")
        tier.get("key")
        tier.get_many(["key", "other"])
        list(tier.scan())
        tier.info()
        assert self.put(tier, "key", b"fill", expected=token) is True

    def test_a_token_is_used_up_by_its_fill(self, tier: Tier[Any]) -> None:
        token = self._token_of_absent(tier, "key")
        self.put(tier, "key", b"first", expected=token)
        assert self.put(tier, "key", b"second", expected=token) is False
        assert self.read(tier, "key") == b"first"

    def test_law_4_a_fill_after_a_put_is_refused(self, tier: Tier[Any]) -> None:
        token = self._token_of_absent(tier, "key")
        self.put(tier, "key", b"newer")
        assert self.put(tier, "key", b"late", expected=token) is False
        assert self.read(tier, "key") == b"newer"

    def test_law_4_a_fill_after_a_delete_is_refused(self, tier: Tier[Any]) -> None:
        token = self._token_of_absent(tier, "key")
        assert tier.delete("key") is not True, "a deletion of an absent key counts"
        assert self.put(tier, "key", b"late", expected=token) is False
        assert isinstance(tier.get("key"), Absent)

    def test_law_4_a_fill_after_delete_many_is_refused(self, tier: Tier[Any]) -> None:
        self.put(tier, "there")
        tokens = {"there": self._token_of_found(tier, "there")}
        tokens["absent"] = self._token_of_absent(tier, "absent")
        tier.delete_many(["there", "absent"])
        for key, token in tokens.items():
            assert self.put(tier, key, b"late", expected=token) is False
        self.check_scan(tier, [])

    def test_law_4_a_fill_after_a_put_and_a_delete_is_refused(self, tier: Tier[Any]) -> None:
        token = self._token_of_absent(tier, "key")
        self.put(tier, "key", b"newer")
        tier.delete("key")
        assert self.put(tier, "key", b"late", expected=token) is False
        assert isinstance(tier.get("key"), Absent)

    def test_law_4_a_deletion_is_remembered(self, tier: Tier[Any]) -> None:
        tokens = {key: self._token_of_absent(tier, key) for key in ("never", "there")}
        self.put(tier, "there")
        for key in tokens:
            tier.delete(key)
        self.age(tier, TOMBSTONE_LIFETIME_S - 1)
        for key, token in tokens.items():
            assert self.put(tier, key, b"late", expected=token) is False
            assert isinstance(tier.get(key), Absent)

    def test_law_4_a_replacement_after_a_delete_is_refused(self, tier: Tier[Any]) -> None:
        self.put(tier, "key", b"old")
        token = self._token_of_found(tier, "key")
        tier.delete("key")
        assert self.put(tier, "key", b"late", expected=token) is False
        assert isinstance(tier.get("key"), Absent)

    @pytest.mark.parametrize("prefix", ["", "ke"])
    def test_law_4_a_clear_refuses_fills_of_absent_keys(self, tier: Tier[Any], prefix: str) -> None:
        token = self._token_of_absent(tier, "key")
        tier.clear(prefix)
        assert self.put(tier, "key", b"late", expected=token) is False
        assert isinstance(tier.get("key"), Absent)

    def test_law_4_no_fill_from_before_a_clear_outlives_it(self, tier: Tier[Any]) -> None:
        for _ in range(_ROUNDS):
            self.clear_while_filling(tier, tier)

    def test_law_4_a_replacement_after_clear_is_refused(self, tier: Tier[Any]) -> None:
        self.put(tier, "key", b"old")
        token = self._token_of_found(tier, "key")
        tier.clear()
        assert self.put(tier, "key", b"late", expected=token) is False
        assert isinstance(tier.get("key"), Absent)

    def test_law_4_each_delete_makes_the_tokens_before_it_stale(self, tier: Tier[Any]) -> None:
        tier.delete("key")
        token = self._token_of_absent(tier, "key")
        tier.delete("key")
        assert self.put(tier, "key", b"late", expected=token) is False

    def test_a_fill_that_was_read_after_a_delete_lands(self, tier: Tier[Any]) -> None:
        self.put(tier, "key", b"old")
        tier.delete("key")
        token = self._token_of_absent(tier, "key")
        assert self.put(tier, "key", b"new", expected=token) is True
        assert self.read(tier, "key") == b"new"

    def test_a_replacement_lands_where_nothing_happened(self, tier: Tier[Any]) -> None:
        self.put(tier, "key", b"old")
        token = self._token_of_found(tier, "key")
        assert self.put(tier, "key", b"new", expected=token) is True
        assert self.put(tier, "key", b"newest", expected=token) is False
        assert self.read(tier, "key") == b"new"

    def test_any_always_lands(self, tier: Tier[Any]) -> None:
        assert self.put(tier, "key", b"1", expected=ANY) is True
        assert self.put(tier, "key", b"2", expected=ANY) is True
        tier.delete("key")
        assert self.put(tier, "key", b"3", expected=ANY) is True
        assert self.read(tier, "key") == b"3"

    def test_tokens_of_get_many_are_tokens_of_get(self, tier: Tier[Any]) -> None:
        self.put(tier, "there", b"old")
        stale = tier.get_many(["there", "absent"])
        self.put(tier, "there", b"newer")
        tier.delete("absent")
        fresh = tier.get_many(["there", "absent"])
        for key in ("there", "absent"):
            assert self.put(tier, key, b"late", expected=stale[key].token) is False
            assert self.put(tier, key, b"fill", expected=fresh[key].token) is True

    def test_put_many_refuses_each_on_its_own(self, tier: Tier[Any]) -> None:
        tokens = {key: tier.get(key).token for key in ("changed", "deleted")}
        self.put(tier, "changed", b"newer")
        tier.delete("deleted")
        tokens["quiet"] = tier.get("quiet").token
        items = {
            key: Put(self.make_item(tier, b"fill"), math.inf, token)
            for key, token in tokens.items()
        }
        items["whatever"] = Put(self.make_item(tier, b"fill"), math.inf)
        assert tier.put_many(items) == {"quiet", "whatever"}
        found = tier.get_many(["quiet", "changed", "deleted", "whatever"])
        assert {key: self.payload(answer) for key, answer in found.items()} == {
            "quiet": b"fill",
            "changed": b"newer",
            "deleted": None,
            "whatever": b"fill",
        }

    def test_one_of_many_fills_lands(self, tier: Tier[Any]) -> None:
        for turn in range(10):
            key = f"key-{turn}"
            self._race(tier, key, self._token_of_absent(tier, key))

    def test_one_of_many_replacements_lands(self, tier: Tier[Any]) -> None:
        for turn in range(10):
            key = f"key-{turn}"
            self.put(tier, key, b"old")
            self._race(tier, key, self._token_of_found(tier, key))

    def _race(self, tier: Tier[Any], key: str, token: object) -> None:
        landed = race(_RACERS, lambda number: self.put(tier, key, b"%d" % number, expected=token))
        assert landed.count(True) == 1, f"{landed.count(True)} fills with one token landed"
        assert self.read(tier, key) == b"%d" % landed.index(True)

    def _token_of_absent(self, tier: Tier[Any], key: str) -> object:
        answer = tier.get(key)
        assert isinstance(answer, Absent)
        return answer.token

    def _token_of_found(self, tier: Tier[Any], key: str) -> object:
        answer = tier.get(key)
        assert isinstance(answer, Found)
        return answer.token
