"""The conformance suite of expiry policies."""

# ruff: noqa: D102 - the name of a test is its description
from __future__ import annotations

from itertools import product

from tiered_cache.testing.policy_contracts.samples import COSTS, LIFETIMES
from tiered_cache_policies.contracts import ExpiryPolicy, NewValue

__all__ = ["ExpiryContract"]


class ExpiryContract:
    """The engine's expectations of an expiry policy, as a pytest class to subclass."""

    def make_policy(self) -> ExpiryPolicy:
        """The policy. Override it."""
        raise NotImplementedError

    def test_it_is_an_expiry_policy(self) -> None:
        assert isinstance(self.make_policy(), ExpiryPolicy)

    def test_a_lifetime_is_always_more_than_nothing(self) -> None:
        policy = self.make_policy()
        values: tuple[object, ...] = (None, "", 0, [], "value", object())
        for value, lifetime, cost, now in product(values, LIFETIMES, COSTS, (0.0, 1.8e9)):
            assert policy.lifetime_s(NewValue("key", value, lifetime, cost, now)) > 0
