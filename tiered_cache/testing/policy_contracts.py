"""The conformance suites of admission, promotion and write policies."""

# ruff: noqa: D102 - the name of a test says what it checks
from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING

import pytest

from tiered_cache_policies.contracts import (
    AdmissionPolicy,
    Candidate,
    FoundBelow,
    PromotionPolicy,
    QueuesWrites,
    TierFacts,
    WritePlan,
    WritePolicy,
    WriteRequest,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["AdmissionContract", "PromotionContract", "WritingContract"]

STACK = (
    TierFacts("memory", 0, durable=False, shared=False),
    TierFacts("disk", 1, durable=True, shared=False),
    TierFacts("near", 2, durable=True, shared=True),
    TierFacts("far", 3, durable=True, shared=True),
)
_LIFETIMES = (math.inf, 1e-3, 3600.0)
_COSTS = (0.0, 1e-6, 1e4)


class AdmissionContract:
    """What the engine expects of an admission policy, as a pytest class to subclass."""

    def make_policy(self) -> AdmissionPolicy:
        """The policy. Override it."""
        raise NotImplementedError

    def test_it_is_an_admission_policy(self) -> None:
        assert isinstance(self.make_policy(), AdmissionPolicy)

    def test_it_answers_yes_or_no_to_everything(self) -> None:
        policy = self.make_policy()
        for size, lifetime, cost, computed, read in product(
            (0, 1, 2**40), _LIFETIMES, _COSTS, (True, False), (0.0, 1e-4)
        ):
            candidate = Candidate("key", size, cost, lifetime, computed, read)
            for into in STACK:
                assert policy.admit(candidate, into) in (True, False)


class PromotionContract:
    """What the engine expects of a promotion policy, as a pytest class to subclass."""

    def make_policy(self) -> PromotionPolicy:
        """The policy. Override it."""
        raise NotImplementedError

    def test_it_is_a_promotion_policy(self) -> None:
        assert isinstance(self.make_policy(), PromotionPolicy)

    def test_it_answers_yes_or_no_to_everything(self) -> None:
        policy = self.make_policy()
        for source, size, remaining, cost in product(STACK[1:], (0, 1, 2**40), _LIFETIMES, _COSTS):
            found = FoundBelow("key", source, size, 0.0, remaining, cost)
            for into in STACK[: source.level]:
                assert policy.promote(found, into) in (True, False)


class WritingContract:
    """What the engine expects of a write policy, as a pytest class to subclass."""

    def make_policy(self) -> WritePolicy:
        """The policy. Override it."""
        raise NotImplementedError

    def test_it_is_a_write_policy(self) -> None:
        assert isinstance(self.make_policy(), WritePolicy)

    @pytest.mark.parametrize("depth", range(1, len(STACK) + 1))
    def test_it_names_levels_of_the_stack_at_most_once(self, depth: int) -> None:
        for plan in self._plans(STACK[:depth]):
            named = [*plan.now, *plan.later]
            assert len(named) == len(set(named))
            assert set(named) <= set(range(depth))

    def test_only_what_bounds_a_queue_has_levels_for_later(self) -> None:
        if not isinstance(self.make_policy(), QueuesWrites):
            assert not any(plan.later for plan in self._plans(STACK))

    def _plans(self, tiers: tuple[TierFacts, ...]) -> Iterator[WritePlan]:
        policy = self.make_policy()
        for lifetime, cost, computed in product(_LIFETIMES, _COSTS, (True, False)):
            plan = policy.plan(WriteRequest("key", lifetime, cost, computed), tiers)
            assert isinstance(plan, WritePlan)
            yield plan
