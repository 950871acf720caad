"""Leases: each has one holder at a time."""

# ruff: noqa: D102 - the name of a test is its description
from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from tiered_cache.testing.thread_race import race
from tiered_cache.testing.tier_contract.hooks import SHORT_S, TierContractBase
from tiered_cache.testing.wait import wait_until

if TYPE_CHECKING:
    from tiered_cache.contracts import Leases, Tier

__all__ = ["LeaseContract"]

_LONG_S = 60.0
_THREADS = 16


class LeaseContract(TierContractBase):
    """The promises of `tiered_cache.contracts.leases`; for tiers that offer them."""

    @pytest.fixture
    def leases(self, tier: Tier[Any]) -> Leases:
        return _leases_of(tier)

    @pytest.fixture
    def others(self) -> Leases:
        """The same leases in another tier, as another process has them."""
        return _leases_of(self.open_tier())

    def run_out(self, leases: Leases, key: str) -> None:
        """Wait until the lease of `key`, taken for `SHORT_S`, has run out."""
        self.clock.advance(SHORT_S)
        wait_until(
            lambda: leases.acquire(key, "late", _LONG_S).taken_over,
            f"a lease of {SHORT_S:g} s has run out",
        )

    def test_a_lease_has_one_holder(self, leases: Leases, others: Leases) -> None:
        answer = leases.acquire("key", "one", _LONG_S)
        assert answer.granted
        assert not answer.taken_over
        answer = others.acquire("key", "two", _LONG_S)
        assert not answer.granted
        assert 0 < answer.ends_in_s <= _LONG_S

    def test_keys_and_namespaces_have_leases_of_their_own(
        self, leases: Leases, others: Leases
    ) -> None:
        assert leases.acquire("key", "one", _LONG_S).granted
        assert others.acquire("key2", "two", _LONG_S).granted
        assert others.acquire("ke", "three", _LONG_S).granted
        elsewhere = _leases_of(self.open_tier(f"{self.namespace}-2"))
        assert elsewhere.acquire("key", "four", _LONG_S).granted

    def test_any_key_can_have_one(self, leases: Leases) -> None:
        for number, key in enumerate(("\x00", "a b", "ключ", "\ud800", "k" * 10_000, "a\n\r\nb")):
            assert leases.acquire(key, f"owner-{number}", _LONG_S).granted
            assert not leases.acquire(key, f"other-{number}", _LONG_S).granted

    def test_a_lease_that_was_given_back_is_free(self, leases: Leases, others: Leases) -> None:
        leases.acquire("key", "one", _LONG_S)
        leases.release("key", "one")
        answer = others.acquire("key", "two", _LONG_S)
        assert answer.granted
        assert not answer.taken_over

    def test_a_lease_that_ran_out_is_taken_over(self, leases: Leases, others: Leases) -> None:
        leases.acquire("key", "one", SHORT_S)
        self.run_out(others, "key")
        assert not leases.renew("key", "one", _LONG_S)
        leases.release("key", "one")
        assert not leases.acquire("key", "three", _LONG_S).granted
        assert others.renew("key", "late", _LONG_S)

    def test_a_lease_that_ran_out_can_be_renewed_if_nobody_took_it(
        self, leases: Leases, others: Leases
    ) -> None:
        leases.acquire("key", "one", 0.001)
        self.clock.advance(0.001)
        assert leases.renew("key", "one", _LONG_S)
        assert not others.acquire("key", "two", _LONG_S).granted

    def test_renewing_prolongs_a_lease(self, leases: Leases, others: Leases) -> None:
        leases.acquire("key", "one", 2.0)
        self.clock.advance(1.0)
        assert leases.renew("key", "one", _LONG_S)
        assert others.acquire("key", "two", _LONG_S).ends_in_s > _LONG_S / 2

    def test_who_waits_is_woken_when_the_lease_is_given_back(
        self, leases: Leases, others: Leases
    ) -> None:
        leases.acquire("key", "one", _LONG_S)
        seen = [others.acquire("key", f"waiter-{n}", _LONG_S).seen for n in range(4)]

        def wait(number: int) -> None:
            others.wait("key", seen[number], _LONG_S)

        threads = [threading.Thread(target=wait, args=(n,), daemon=True) for n in range(len(seen))]
        for thread in threads:
            thread.start()
        leases.release("key", "one")
        for thread in threads:
            thread.join(_LONG_S / 2)
        assert not any(thread.is_alive() for thread in threads)

    def test_a_lease_that_was_given_back_before_the_waiting_is_not_waited_for(
        self, leases: Leases, others: Leases
    ) -> None:
        for turn in range(3):  # the leftovers of a turn must not hide the next release
            leases.acquire("key", f"one-{turn}", _LONG_S)
            seen = others.acquire("key", f"two-{turn}", _LONG_S).seen
            leases.release("key", f"one-{turn}")
            thread = threading.Thread(target=others.wait, args=("key", seen, _LONG_S), daemon=True)
            thread.start()
            thread.join(_LONG_S / 2)
            assert not thread.is_alive()

    def test_waiting_has_an_end(self, leases: Leases, others: Leases) -> None:
        leases.acquire("key", "one", _LONG_S)
        seen = others.acquire("key", "two", _LONG_S).seen
        others.wait("key", seen, 0.01)
        assert not others.acquire("key", "two", _LONG_S).granted

    def test_of_many_who_ask_at_once_one_is_granted_it(self, leases: Leases) -> None:
        rounds = 20
        answers = race(
            _THREADS,
            lambda n: [
                leases.acquire(f"key {turn}", f"owner {n}-{turn}", _LONG_S).granted
                for turn in range(rounds)
            ],
        )
        assert [sum(turn) for turn in zip(*answers, strict=True)] == [1] * rounds

    def test_a_lease_is_no_key(self, tier: Tier[Any], leases: Leases, others: Leases) -> None:
        self.put(tier, "key")
        leases.acquire("key", "one", _LONG_S)
        others.acquire("key", "two", _LONG_S)
        self.check_scan(tier, ["key"])
        assert tier.clear() in (1, None)
        assert not others.acquire("key", "three", _LONG_S).granted


def _leases_of(tier: Tier[Any]) -> Leases:
    leases = tier.offers.leases
    assert leases is not None
    return leases
