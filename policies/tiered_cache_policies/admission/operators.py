"""The operators on admission policies: `MinCost("50ms") & ~MaxBytes("8MB")`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiered_cache_policies.contracts import AdmissionPolicy, Candidate, TierFacts

__all__ = ["AllOf", "AnyOf", "Combining", "Not"]


class Combining:
    """The base class that gives an admission policy the operators `&`, `|` and `~`."""

    def __and__(self: AdmissionPolicy, other: AdmissionPolicy) -> AllOf:
        return AllOf(self, other)

    def __or__(self: AdmissionPolicy, other: AdmissionPolicy) -> AnyOf:
        return AnyOf(self, other)

    def __invert__(self: AdmissionPolicy) -> Not:
        return Not(self)


class AllOf(Combining):
    """The admission policy that admits a value if all of `rules` do; `a & b`.

    It asks every rule, even after a refusal: a rule that counts keys must see all of them.
    """

    def __init__(self, *rules: AdmissionPolicy) -> None:
        self.rules: tuple[AdmissionPolicy, ...] = tuple(_checked(rule) for rule in rules)

    def admit(self, candidate: Candidate, into: TierFacts) -> bool:
        """Whether every rule admits it."""
        answers = [rule.admit(candidate, into) for rule in self.rules]
        return all(answers)


class AnyOf(Combining):
    """The admission policy that admits a value if at least one of `rules` does; `a | b`.

    It asks every rule, as `AllOf` does.
    """

    def __init__(self, *rules: AdmissionPolicy) -> None:
        self.rules: tuple[AdmissionPolicy, ...] = tuple(_checked(rule) for rule in rules)

    def admit(self, candidate: Candidate, into: TierFacts) -> bool:
        """Whether a rule admits it."""
        answers = [rule.admit(candidate, into) for rule in self.rules]
        return any(answers)


class Not(Combining):
    """The admission policy that admits a value if `rule` does not; `~a`."""

    def __init__(self, rule: AdmissionPolicy) -> None:
        self.rule: AdmissionPolicy = _checked(rule)

    def admit(self, candidate: Candidate, into: TierFacts) -> bool:
        """Whether the rule refuses it."""
        return not self.rule.admit(candidate, into)


def _checked(rule: AdmissionPolicy) -> AdmissionPolicy:
    if isinstance(rule, type) or not callable(getattr(rule, "admit", None)):
        msg = f"{rule!r} is not an admission policy: combine objects with an admit(), such as MaxBytes('8MB')"
        raise ValueError(msg)
    return rule
