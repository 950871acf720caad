"""The conformance suite of promotion policies."""

# ruff: noqa: D102 - the name of a test is its description
from __future__ import annotations

from itertools import product

from tiered_cache.testing.policy_contracts.samples import COSTS, LIFETIMES, STACK
from tiered_cache_policies.contracts import FoundBelow, PromotionPolicy

__all__ = ["PromotionContract"]


class PromotionContract:
    """The engine's expectations of a promotion policy, as a pytest class to subclass."""

    def make_policy(self) -> PromotionPolicy:
        """The policy. Override it."""
        raise NotImplementedError

    def test_it_is_a_promotion_policy(self) -> None:
        assert isinstance(self.make_policy(), PromotionPolicy)

    def test_it_answers_yes_or_no_to_everything(self) -> None:
        policy = self.make_policy()
        for source, size, remaining, cost in product(STACK[1:], (0, 1, 2**40), LIFETIMES, COSTS):
            found = FoundBelow("key", source, size, 0.0, remaining, cost)
            for into in STACK[: source.level]:
                assert policy.promote(found, into) in (True, False)
