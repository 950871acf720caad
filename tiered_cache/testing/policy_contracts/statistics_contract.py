"""The conformance suite of statistics policies."""

# ruff: noqa: D102 - the name of a test is its description
from __future__ import annotations

from tiered_cache_policies.contracts import StatisticsPolicy

__all__ = ["StatisticsContract"]


class StatisticsContract:
    """The engine's expectations of a statistics policy, as a pytest class to subclass."""

    def make_policy(self) -> StatisticsPolicy:
        """The policy. Override it."""
        raise NotImplementedError

    def test_it_is_a_statistics_policy(self) -> None:
        policy = self.make_policy()
        assert isinstance(policy, StatisticsPolicy)
        assert type(policy.one_in) is int
        assert policy.one_in >= 0
        assert policy.latencies in (True, False)
