"""Admission rules made of others: `MinCost("50ms") & ~MaxBytes("8MB")`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiered_cache_policies.contracts import AdmissionPolicy, Candidate, TierFacts

__all__ = ["AllOf", "AnyOf", "Combining", "Not"]


class Combining:
    """Gives an admission policy the operators `&`, `|` and `~`; inherit it to have them."""

    def __and__(self: AdmissionPolicy, other: AdmissionPolicy) -> AllOf:
        return AllOf(self, other)

    def __or__(self: AdmissionPolicy, other: AdmissionPolicy) -> AnyOf:
        return AnyOf(self, other)

    def __invert__(self: AdmissionPolicy) -> Not:
        return Not(self)


class AllOf(Combining):
    """The admission policy that admits what each of `rules` does; `a & b`.

    Every rule is asked, also after one said no: rules that count what they see must see it all.
    """

    def __init__(self, *rules: AdmissionPolicy) -> None:
        self.rules = tuple(_checked(rule) for rule in rules)

    def admit(self, candidate: Candidate, into: TierFacts) -> bool:
        """Whether no rule says no."""
        answers = [rule.admit(candidate, into) for rule in self.rules]
        return all(answers)


class AnyOf(Combining):
    """The admission policy that admits what at least one of `rules` does; `a | b`.

    Every rule is asked, as in `AllOf`.
    """

    def __init__(self, *rules: AdmissionPolicy) -> None:
        self.rules = tuple(_checked(rule) for rule in rules)

    def admit(self, candidate: Candidate, into: TierFacts) -> bool:
        """Whether some rule says yes."""
        answers = [rule.admit(candidate, into) for rule in self.rules]
        return any(answers)


class Not(Combining):
    """The admission policy that admits what `rule` does not; `~a`."""

    def __init__(self, rule: AdmissionPolicy) -> None:
        self.rule = _checked(rule)

    def admit(self, candidate: Candidate, into: TierFacts) -> bool:
        """Whether the rule says no."""
        return not self.rule.admit(candidate, into)


def _checked(rule: AdmissionPolicy) -> AdmissionPolicy:
    if isinstance(rule, type) or not callable(getattr(rule, "admit", None)):
        msg = f"{rule!r} is no admission policy: combine objects with an admit(), such as MaxBytes('8MB')"
        raise ValueError(msg)
    return rule
