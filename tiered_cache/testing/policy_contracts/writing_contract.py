"""The conformance suite of write policies."""

# ruff: noqa: D102 - the name of a test is its description
from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest

from tiered_cache.testing.policy_contracts.samples import COSTS, LIFETIMES, STACK
from tiered_cache_policies.contracts import QueuesWrites, WritePlan, WritePolicy, WriteRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tiered_cache_policies.contracts import TierFacts

__all__ = ["WritingContract"]


class WritingContract:
    """The engine's expectations of a write policy, as a pytest class to subclass."""

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
        for lifetime, cost, computed in product(LIFETIMES, COSTS, (True, False)):
            plan = policy.plan(WriteRequest("key", lifetime, cost, computed), tiers)
            assert isinstance(plan, WritePlan)
            yield plan
