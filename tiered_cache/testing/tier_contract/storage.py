"""Storage: an item that was put can be got until it is deleted, alone or with many."""

# ruff: noqa: D102 - the name of a test is its description
from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from tiered_cache.contracts import Absent, Found, Put, TierInfo
from tiered_cache.entry import TOKEN_BYTES, Entry, make_tombstone
from tiered_cache.testing.tier_contract.hooks import TierContractBase

if TYPE_CHECKING:
    from tiered_cache.contracts import Tier

__all__ = ["StorageContract"]

_PAYLOADS = {
    "empty": b"",
    "one-byte": b"\x00",
    "every-byte": bytes(range(256)),
    "text-with-line-ends": b"a\r\nb\n\x00c\r",
    "looks-like-a-pickle": b"\x80\x04K\x01.",
    "mebibyte": bytes(range(256)) * 4096,
}


class StorageContract(TierContractBase):
    """The promises of `get`, `put`, `delete` and `clear`, and of their forms for many keys."""

    def test_what_was_never_put_is_absent(self, tier: Tier[Any]) -> None:
        assert isinstance(tier.get("never"), Absent)
        answers = tier.get_many(["never", "either"])
        assert set(answers) == {"never", "either"}
        assert all(isinstance(answer, Absent) for answer in answers.values())

    def test_a_put_can_be_got(self, tier: Tier[Any]) -> None:
        assert self.put(tier, "key", b"payload") is True
        assert self.read(tier, "key") == b"payload"
        assert self.read(tier, "key") == b"payload", "a read does not remove it"

    @pytest.mark.parametrize("payload", _PAYLOADS.values(), ids=_PAYLOADS.keys())
    def test_an_item_comes_back_as_it_was_given(self, tier: Tier[Any], payload: bytes) -> None:
        most = tier.offers.max_item_bytes
        payload = payload if most is None else payload[: most - TOKEN_BYTES]
        item = self.make_item(tier, payload)
        assert tier.put("key", Put(item, math.inf))
        answer = tier.get("key")
        assert isinstance(answer, Found)
        if isinstance(item, Entry):
            assert isinstance(answer.item, Entry)
            assert answer.item.value == payload
        else:
            assert type(answer.item) is bytes
            assert answer.item == item

    def test_an_entry_keeps_its_metadata(self, tier: Tier[Any]) -> None:
        if tier.holds_records:
            return  # it is inside the bytes, which are compared above
        entry = Entry(
            b"v", created_s=5.0, fresh_until_s=9e9, cost_s=2.5, tags={"t": 4}, generation=3
        )
        tier.put("key", Put(entry, 100.0))
        answer = tier.get("key")
        assert isinstance(answer, Found)
        held = answer.item
        assert isinstance(held, Entry)
        assert (held.created_s, held.fresh_until_s, held.stale_until_s) == (5.0, 9e9, 9e9)
        assert (held.cost_s, held.tags, held.generation) == (2.5, {"t": 4}, 3)

    def test_a_second_put_replaces_the_first(self, tier: Tier[Any]) -> None:
        self.put(tier, "key", b"first, and longer than the second")
        assert self.put(tier, "key", b"second") is True
        assert self.read(tier, "key") == b"second"

    def test_a_put_touches_no_other_key(self, tier: Tier[Any]) -> None:
        for number in range(20):
            self.put(tier, f"key-{number}", b"%d" % number)
        self.put(tier, "key-7", b"new")
        tier.delete("key-9")
        expected = {f"key-{n}": b"%d" % n for n in range(20)} | {"key-7": b"new"}
        del expected["key-9"]
        found = {key: self.read(tier, key) for key in expected}
        assert found == expected

    def test_get_many_answers_for_each_key(self, tier: Tier[Any]) -> None:
        self.put(tier, "a", b"1")
        self.put(tier, "c", b"3")
        answers = tier.get_many(["c", "b", "a"])
        assert {key: self.payload(answer) for key, answer in answers.items()} == {
            "a": b"1",
            "b": None,
            "c": b"3",
        }

    def test_many_of_none_is_nothing(self, tier: Tier[Any]) -> None:
        self.put(tier, "key")
        assert dict(tier.get_many([])) == {}
        assert set(tier.put_many({})) == set()
        assert tier.delete_many([]) in (0, None)
        assert self.read(tier, "key") == b"x"

    def test_put_many_stores_each(self, tier: Tier[Any]) -> None:
        payloads = {f"key-{number}": b"%d" % number for number in range(150)}
        items = {
            key: Put(self.make_item(tier, payload), math.inf) for key, payload in payloads.items()
        }
        assert tier.put_many(items) == set(payloads)
        answers = tier.get_many(list(payloads))
        assert {key: self.payload(answer) for key, answer in answers.items()} == payloads

    def test_delete_says_whether_it_was_there(self, tier: Tier[Any]) -> None:
        self.put(tier, "key")
        assert tier.delete("key") is not False
        assert tier.delete("key") is not True
        assert tier.delete("never") is not True
        assert isinstance(tier.get("key"), Absent)

    def test_what_was_deleted_shows_nowhere(self, tier: Tier[Any]) -> None:
        self.put(tier, "kept")
        for key in ("gone", "also-gone"):
            self.put(tier, key)
        tier.delete("gone")
        tier.delete_many(["also-gone", "never"])
        answers = tier.get_many(["gone", "also-gone", "never"])
        assert all(isinstance(answer, Absent) for answer in answers.values())
        self.check_scan(tier, ["kept"])
        assert tier.info().entries in (None, 1)
        assert tier.clear() in (1, None)

    def test_a_tombstone_that_was_put_is_an_absence(self, tier: Tier[Any]) -> None:
        if not tier.holds_records:
            return
        self.put(tier, "key", b"old")
        deleted_s = self.clock.wall()
        assert tier.put("key", Put(make_tombstone(deleted_s), 60.0)) is True
        for answer in (tier.get("key"), tier.get_many(["key"])["key"]):
            assert isinstance(answer, Absent)
            assert answer.deleted_s in (-math.inf, pytest.approx(deleted_s, abs=1e-5))
        self.check_scan(tier, [])
        assert tier.delete("key") is not True
        assert self.put(tier, "key", b"new") is True
        assert self.read(tier, "key") == b"new"

    def test_a_deleted_key_can_be_put_again(self, tier: Tier[Any]) -> None:
        self.put(tier, "key", b"old")
        tier.delete("key")
        assert self.put(tier, "key", b"new") is True
        assert self.read(tier, "key") == b"new"
        assert tier.delete("key") is not False

    def test_delete_many_counts_what_was_there(self, tier: Tier[Any]) -> None:
        for key in ("a", "b", "c"):
            self.put(tier, key)
        tier.delete("b")
        assert tier.delete_many(["a", "b", "never"]) in (1, None)
        self.check_scan(tier, ["c"])

    def test_clear_removes_everything(self, tier: Tier[Any]) -> None:
        for number in range(1200):
            self.put(tier, f"key-{number}")
        assert tier.clear() in (1200, None)
        self.check_scan(tier, [])
        assert isinstance(tier.get("key-0"), Absent)
        assert tier.info().entries in (None, 0)
        assert tier.clear() in (0, None)

    def test_info_says_how_full_it_is(self, tier: Tier[Any]) -> None:
        before = tier.info()
        assert isinstance(before, TierInfo)
        assert before.entries in (None, 0)
        for number in range(3):
            self.put(tier, f"key-{number}", b"x" * 1000)
        after = tier.info()
        assert after.entries in (None, 3)
        assert after.bytes is None or after.bytes > 0
        for limit in (after.max_entries, after.max_bytes):
            assert limit is None or limit > 0
