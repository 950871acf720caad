"""Heads: the beginnings of records, with the tokens of the whole records."""

# ruff: noqa: D102 - the name of a test is its description
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache.contracts import HEAD_BYTES, Absent, Found
from tiered_cache.testing.tier_contract.hooks import TierContractBase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tiered_cache.contracts import Tier

__all__ = ["HeadsContract"]


class HeadsContract(TierContractBase):
    """The promises of `Offers.heads`, for tiers that offer it."""

    def heads(self, tier: Tier[Any], keys: Sequence[str]) -> Mapping[str, Found[bytes] | Absent]:
        heads = tier.offers.heads
        assert heads is not None
        return heads(keys)

    def test_a_head_is_the_beginning_of_a_record_and_has_its_token(self, tier: Tier[Any]) -> None:
        for key, payload in {"short": b"x", "long": b"x" * 100_000}.items():
            self.put(tier, key, payload)
        whole = tier.get_many(["short", "long"])
        heads = self.heads(tier, ["short", "long"])
        assert set(heads) == {"short", "long"}
        for key, head in heads.items():
            found = whole[key]
            assert isinstance(head, Found)
            assert isinstance(found, Found)
            assert head.item[:HEAD_BYTES] == found.item[:HEAD_BYTES]
            assert head.token == found.token

    def test_an_absent_key_has_the_answer_of_a_lookup(self, tier: Tier[Any]) -> None:
        self.put(tier, "deleted")
        tier.delete("deleted")
        keys = ["deleted", "unused"]
        assert self.heads(tier, keys) == tier.get_many(keys)

    def test_law_4_a_fill_with_the_token_of_an_earlier_head_is_refused(
        self, tier: Tier[Any]
    ) -> None:
        self.put(tier, "key", b"old")
        token = self.heads(tier, ["key"])["key"].token
        self.put(tier, "key", b"new")
        assert self.put(tier, "key", b"late", expected=token) is False
        assert self.heads(tier, ["key"])["key"].token != token
