"""The conformance suite of refresh policies."""

# ruff: noqa: D102 - the name of a test is its description
from __future__ import annotations

from itertools import product

from tiered_cache.testing.policy_contracts.samples import COSTS
from tiered_cache_policies.contracts import Hit, HitAction, RefreshPolicy

__all__ = ["RefreshContract"]


class RefreshContract:
    """The engine's expectations of a refresh policy, as a pytest class to subclass."""

    def make_policy(self) -> RefreshPolicy:
        """The policy. Override it."""
        raise NotImplementedError

    def test_it_is_a_refresh_policy(self) -> None:
        assert isinstance(self.make_policy(), RefreshPolicy)

    def test_a_window_is_not_negative(self) -> None:
        policy = self.make_policy()
        for lifetime, cost in product((1e-3, 1.0, 3600.0), COSTS):
            assert policy.window_s(lifetime, cost) >= 0

    def test_it_says_what_a_hit_leads_to(self) -> None:
        policy = self.make_policy()
        for age, remaining, cost in product((0.0, 10.0), (1e-6, 5.0, 3600.0), COSTS):
            action = policy.on_hit(Hit("key", age, remaining, cost))
            assert isinstance(action, HitAction)
            assert action.renew_s >= 0
            assert not (action.refresh and action.renew_s), "a policy refreshes or renews, not both"
