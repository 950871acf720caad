"""The conformance suites of expiry, refresh and statistics policies."""

# ruff: noqa: D102 - the name of a test says what it checks
from __future__ import annotations

import math
from itertools import product

from tiered_cache_policies.contracts import (
    ExpiryPolicy,
    Hit,
    HitAction,
    NewValue,
    RefreshPolicy,
    StatisticsPolicy,
)

__all__ = ["ExpiryContract", "RefreshContract", "StatisticsContract"]

_LIFETIMES = (1e-3, 3600.0, math.inf)
_COSTS = (0.0, 1e-6, 1e4)


class ExpiryContract:
    """What the engine expects of an expiry policy, as a pytest class to subclass."""

    def make_policy(self) -> ExpiryPolicy:
        """The policy. Override it."""
        raise NotImplementedError

    def test_it_is_an_expiry_policy(self) -> None:
        assert isinstance(self.make_policy(), ExpiryPolicy)

    def test_a_lifetime_is_always_more_than_nothing(self) -> None:
        policy = self.make_policy()
        values: tuple[object, ...] = (None, "", 0, [], "value", object())
        for value, lifetime, cost, now in product(values, _LIFETIMES, _COSTS, (0.0, 1.8e9)):
            assert policy.lifetime_s(NewValue("key", value, lifetime, cost, now)) > 0


class RefreshContract:
    """What the engine expects of a refresh policy, as a pytest class to subclass."""

    def make_policy(self) -> RefreshPolicy:
        """The policy. Override it."""
        raise NotImplementedError

    def test_it_is_a_refresh_policy(self) -> None:
        assert isinstance(self.make_policy(), RefreshPolicy)

    def test_a_window_is_not_negative(self) -> None:
        policy = self.make_policy()
        for lifetime, cost in product((1e-3, 1.0, 3600.0), _COSTS):
            assert policy.window_s(lifetime, cost) >= 0

    def test_it_says_what_a_hit_leads_to(self) -> None:
        policy = self.make_policy()
        for age, remaining, cost in product((0.0, 10.0), (1e-6, 5.0, 3600.0), _COSTS):
            action = policy.on_hit(Hit("key", age, remaining, cost))
            assert isinstance(action, HitAction)
            assert action.renew_s >= 0
            assert not (action.refresh and action.renew_s), "one or the other"


class StatisticsContract:
    """What the engine expects of a statistics policy, as a pytest class to subclass."""

    def make_policy(self) -> StatisticsPolicy:
        """The policy. Override it."""
        raise NotImplementedError

    def test_it_is_a_statistics_policy(self) -> None:
        policy = self.make_policy()
        assert isinstance(policy, StatisticsPolicy)
        assert type(policy.one_in) is int
        assert policy.one_in >= 0
        assert policy.latencies in (True, False)
