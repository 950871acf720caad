"""Leases by compare-and-set, over tiers that keep no time, fail, or hold foreign bytes."""

from __future__ import annotations

import math
from itertools import count
from typing import TYPE_CHECKING

import pytest

from tiered_cache import TierUnavailableError
from tiered_cache.contracts import ANY, Absent, BaseTier, CasLeases, Found, Put, Reach
from tiered_cache.testing import FakeClock, make_context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tiered_cache.contracts import TierContext


class Timeless(BaseTier[bytes]):
    """A shared tier without time."""

    name, reach = "timeless", Reach.CLUSTER

    def __init__(self) -> None:
        self.held: dict[str, tuple[bytes, int]] = {}
        self.numbers = count(1)
        self.refuses = self.is_away = False

    def open(self, context: TierContext) -> None:
        self.namespace = context.namespace

    def get(self, key: str) -> Found[bytes] | Absent:
        if self.is_away:
            raise TierUnavailableError("away")
        found = self.held.get(key)
        return Absent(0) if found is None else Found(found[0], math.inf, found[1])

    def put(self, key: str, put: Put[bytes]) -> bool:
        if self.refuses or put.expected not in (ANY, self.get(key).token):
            return False
        self.held[key] = put.item, next(self.numbers)
        return True

    def delete(self, key: str) -> bool:
        return self.held.pop(key, None) is not None

    def scan(self, prefix: str = "") -> Iterator[str]:
        return iter(list(self.held))


@pytest.fixture
def tier() -> Timeless:
    return Timeless()


@pytest.fixture
def leases(tier: Timeless, clock: FakeClock) -> CasLeases:
    made = CasLeases(tier)
    made.open(make_context("lint", clock)[0])
    return made


def test_they_have_a_namespace_that_no_cache_can_have(tier: Timeless, leases: CasLeases) -> None:
    assert leases.acquire("key", "one", 1.0).granted
    assert tier.namespace == ".leases.lint"


def test_without_time_in_the_tier_they_end_by_the_wall_clock(
    leases: CasLeases, clock: FakeClock
) -> None:
    assert leases.acquire("key", "one", 10.0).granted
    clock.advance(4)
    assert leases.acquire("key", "two", 10.0).ends_in_s == 6.0
    clock.advance(6)
    answer = leases.acquire("key", "two", 10.0)
    assert (answer.granted, answer.taken_over) == (True, True)
    leases.release("key", "one")
    assert leases.renew("key", "two", 10.0)
    leases.release("key", "two")
    assert not leases.acquire("key", "three", 10.0).taken_over


def test_foreign_bytes_are_an_expired_lease(tier: Timeless, leases: CasLeases) -> None:
    leases.acquire("key", "one", 10.0)
    (name,) = tier.held
    for record in (b"", b"no number", b"\xff\xfe", b"nan one", b"inf one"):
        tier.put(name, Put(record, 60.0))
        assert leases.acquire("key", "two", 10.0).granted


def test_law_8_a_tier_that_refuses_for_ever_grants_none(tier: Timeless, leases: CasLeases) -> None:
    tier.refuses = True
    answer = leases.acquire("key", "one", 10.0)
    assert not answer.granted
    assert answer.ends_in_s > 0


def test_faults_of_the_tier_are_raised(tier: Timeless, leases: CasLeases) -> None:
    tier.is_away = True
    with pytest.raises(TierUnavailableError):
        leases.acquire("key", "one", 10.0)
