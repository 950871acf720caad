"""The conformance suite of admission policies."""

# ruff: noqa: D102 - the name of a test is its description
from __future__ import annotations

from itertools import product

from tiered_cache.testing.policy_contracts.samples import COSTS, LIFETIMES, STACK
from tiered_cache_policies.contracts import AdmissionPolicy, Candidate

__all__ = ["AdmissionContract"]


class AdmissionContract:
    """The engine's expectations of an admission policy, as a pytest class to subclass."""

    def make_policy(self) -> AdmissionPolicy:
        """The policy. Override it."""
        raise NotImplementedError

    def test_it_is_an_admission_policy(self) -> None:
        assert isinstance(self.make_policy(), AdmissionPolicy)

    def test_it_answers_yes_or_no_to_everything(self) -> None:
        policy = self.make_policy()
        for size, lifetime, cost, computed, read in product(
            (0, 1, 2**40), LIFETIMES, COSTS, (True, False), (0.0, 1e-4)
        ):
            candidate = Candidate("key", size, cost, lifetime, computed, read)
            for into in STACK:
                assert policy.admit(candidate, into) in (True, False)
