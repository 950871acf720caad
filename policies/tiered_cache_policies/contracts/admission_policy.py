"""The contract of admission policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from tiered_cache_policies.contracts.tier_facts import TierFacts

__all__ = ["AdmissionPolicy", "Candidate"]


class Candidate(NamedTuple):
    """A value that is about to enter a tier.

    Attributes:
        key: The key.
        size_bytes: The size of the record, 0 if no tier needed a record.
        cost_s: The seconds that computing the value took, 0.0 if they were not measured.
        lifetime_s: Its remaining lifetime in seconds, `inf` without a limit.
        computed: True for a fill after a miss, computed or found below; false for a `set`.
        read_s: The present seconds of a read from the tier, 0.0 before the first read.
    """

    key: str
    size_bytes: int
    cost_s: float
    lifetime_s: float
    computed: bool
    read_s: float


@runtime_checkable
class AdmissionPolicy(Protocol):
    """Decides whether a value may enter a tier.

    The engine guarantees: it calls `admit` for each fill, promotion and write of a tier that has an
    admission policy, after the promotion or write policy agreed. A refused value does not enter the
    tier; if it would have replaced a value there, the old one is deleted. The implementer must
    answer from the arguments and from state of its own, which several threads may use at once; it
    must be quick and must not raise.
    """

    def admit(self, candidate: Candidate, into: TierFacts) -> bool:
        """Whether `candidate` may enter the tier `into`."""
        ...
