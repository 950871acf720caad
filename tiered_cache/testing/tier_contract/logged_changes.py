"""Change logs: every change is logged, and no fill."""

# ruff: noqa: D102 - the name of a test is its description
from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tiered_cache.contracts import MAX_LOGGED_KEY, Change, ChangeLog, Put
from tiered_cache.testing.tier_contract.hooks import TierContractBase

if TYPE_CHECKING:
    from tiered_cache.contracts import Tier

__all__ = ["ChangeLogContract", "log_of"]

_LONG_S = 30.0
_MANY = 20_000


def log_of(tier: Tier[Any]) -> ChangeLog:
    """The change log of a tier that offers one."""
    log = tier.offers.change_log
    assert log is not None
    return log


class ChangeLogContract(TierContractBase):
    """The promises of `tiered_cache.contracts.change_log`; for tiers that offer one."""

    @pytest.fixture
    def log(self, tier: Tier[Any]) -> ChangeLog:
        return log_of(tier)

    @pytest.fixture
    def reader(self) -> ChangeLog:
        """The same log in another tier, as another process has it."""
        return log_of(self.open_tier())

    def end(self, log: ChangeLog) -> int:
        page = log.read(None)
        assert not page.complete
        assert not page.changes
        return page.position

    def changed(self, log: ChangeLog, position: int) -> list[tuple[str, bool]]:
        page = log.read(position)
        assert page.complete
        assert not page.more
        return [(each.key, each.is_prefix) for each in page.changes]

    def test_a_change_is_logged(self, tier: Tier[Any], reader: ChangeLog) -> None:
        position = self.end(reader)
        self.put(tier, "a")
        self.put(tier, "a")
        tier.delete("a")
        tier.delete("never there")
        tier.put_many({key: Put(self.make_item(tier, b"x"), math.inf) for key in "bc"})
        tier.delete_many(["b", "d"])
        keys = [key for key, _ in self.changed(reader, position)]
        assert keys[:4] == ["a", "a", "a", "never there"]
        assert sorted(keys[4:]) == ["b", "b", "c", "d"]

    def test_a_fill_is_not(self, tier: Tier[Any], reader: ChangeLog) -> None:
        position = self.end(reader)
        for key in "ab":
            token = tier.get(key).token
            item = self.make_item(tier, b"x")
            if key == "a":
                assert tier.put(key, Put(item, math.inf, expected=token, fill=True))
            else:
                put = Put(item, math.inf, token, fill=True)
                assert tier.put_many({key: put}) == {key}
        assert self.changed(reader, position) == []

    def test_a_change_with_an_expectation_is_if_it_lands(
        self, tier: Tier[Any], reader: ChangeLog
    ) -> None:
        token = tier.get("key").token
        position = self.end(reader)
        assert self.put(tier, "key", expected=token)
        assert not self.put(tier, "key", expected=token)
        # The log may also have the change that was refused.
        assert set(self.changed(reader, position)) == {("key", False)}

    def test_a_clear_is_logged_at_its_beginning_and_at_its_end(
        self, tier: Tier[Any], reader: ChangeLog
    ) -> None:
        self.put(tier, "user:1")
        position = self.end(reader)
        tier.clear("user:")
        tier.clear()
        expected = [("user:", True)] * 2 + [("", True)] * 2
        assert self.changed(reader, position) == expected

    def test_who_changed_it_is_logged(self, tier: Tier[Any], reader: ChangeLog) -> None:
        position = self.end(reader)
        self.put(tier, "key")
        (change,) = reader.read(position).changes
        assert change._replace(made_s=None) == Change("a test", "key")

    def test_when_it_was_changed_is_logged_or_not_told(
        self, tier: Tier[Any], reader: ChangeLog
    ) -> None:
        position = self.end(reader)
        self.put(tier, "key")
        tier.delete("key")
        made = [each.made_s for each in reader.read(position).changes]
        told = [each for each in made if each is not None]
        assert told in ([], sorted(told))
        assert len(told) in (0, len(made))

    def test_any_key_is_logged_and_a_long_one_by_its_beginning(
        self, tier: Tier[Any], reader: ChangeLog
    ) -> None:
        position = self.end(reader)
        keys = ["\x00", "a b", "ключ", "a\n\r\nb", "k" * MAX_LOGGED_KEY]
        for key in keys:
            tier.delete(key)
        tier.delete("x" * 10_000)
        expected = [*[(key, False) for key in keys], ("x" * MAX_LOGGED_KEY, True)]
        assert self.changed(reader, position) == expected

    def test_a_long_log_is_read_in_pages(self, tier: Tier[Any], reader: ChangeLog) -> None:
        keys = [f"key {number}" for number in range(1500)]
        position = self.end(reader)
        tier.delete_many(keys)
        found = []
        more = True
        while more:
            page = reader.read(position)
            assert page.complete
            found += [each.key for each in page.changes]
            position, more = page.position, page.more
        assert found == keys

    def test_a_reader_that_is_too_far_behind_is_told(
        self, tier: Tier[Any], reader: ChangeLog
    ) -> None:
        position = self.end(reader)
        page = reader.read(position)
        for number in range(_MANY):
            tier.delete("key")
            if number % 1000 == 999 and not (page := reader.read(position)).complete:
                break
        assert not page.complete, f"{_MANY} changes are kept"
        self.put(tier, "later")
        assert self.changed(reader, page.position) == [("later", False)]

    def test_namespaces_have_logs_of_their_own(self, tier: Tier[Any], reader: ChangeLog) -> None:
        position = self.end(reader)
        self.put(self.open_tier(f"{self.namespace}-2"), "key")
        assert self.changed(reader, position) == []

    def test_the_log_goes_on_when_the_tier_is_opened_again(
        self, tier: Tier[Any], log: ChangeLog
    ) -> None:
        position = self.end(log)
        self.put(tier, "key")
        tier.close()
        again = log_of(self.open_tier())
        assert again.source == log.source
        assert self.changed(again, position) == [("key", False)]

    def test_a_waiter_is_woken_by_a_change(self, tier: Tier[Any], reader: ChangeLog) -> None:
        position = self.end(reader)
        woken = threading.Event()

        def wait() -> None:
            while not reader.read(position).changes:
                reader.wait(position, _LONG_S)
            woken.set()

        thread = threading.Thread(target=wait)
        thread.start()
        self.put(tier, "key")
        assert woken.wait(_LONG_S / 2)
        thread.join()

    def test_a_wait_for_what_has_happened_is_over(self, tier: Tier[Any], reader: ChangeLog) -> None:
        position = self.end(reader)
        self.put(tier, "key")
        reader.wait(position, _LONG_S)

    def test_law_4_a_clear_elsewhere_refuses_fills_that_began_before_it(
        self, tier: Tier[Any], reader: ChangeLog
    ) -> None:
        elsewhere = self.open_tier()
        for clearing in ("", "another prefix"):
            token = tier.get("answer").token
            elsewhere.clear(clearing)
            item = self.make_item(tier, b"late")
            assert not tier.put("answer", Put(item, math.inf, expected=token, fill=True))
            again = tier.get("answer").token
            assert tier.put("answer", Put(item, math.inf, expected=again, fill=True))
            tier.clear()

    @pytest.mark.parametrize("prefix", ["", "user:"])
    def test_law_4_a_clear_elsewhere_refuses_fills_of_keys_that_were_deleted_before(
        self, prefix: str, tier: Tier[Any], reader: ChangeLog
    ) -> None:
        tier.delete("user:1")
        self.put(tier, "user:2")
        token = tier.get("user:1").token
        assert self.open_tier().clear(prefix) in (1, None)
        item = self.make_item(tier, b"late")
        assert not tier.put("user:1", Put(item, math.inf, expected=token, fill=True))

    def test_a_clear_elsewhere_that_was_heard_of_refuses_no_later_fill(
        self, tier: Tier[Any], reader: ChangeLog
    ) -> None:
        position = self.end(reader)
        self.open_tier().clear()
        assert log_of(tier).read(position).changes
        item = self.make_item(tier, b"new")
        assert tier.put("key", Put(item, math.inf, expected=tier.get("key").token, fill=True))
