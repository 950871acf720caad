"""The contract of promotion policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from tiered_cache_policies.contracts.tier_facts import TierFacts

__all__ = ["FoundBelow", "PromotionPolicy"]


class FoundBelow(NamedTuple):
    """A hit in a lower tier.

    Attributes:
        key: The key.
        source: The tier that holds the entry.
        size_bytes: The size of the record.
        age_s: Seconds since the entry was written.
        remaining_s: Seconds until the end of its freshness, `inf` without a limit.
        cost_s: The seconds that computing the value took, 0.0 if they were not measured.
    """

    key: str
    source: TierFacts
    size_bytes: int
    age_s: float
    remaining_s: float
    cost_s: float


@runtime_checkable
class PromotionPolicy(Protocol):
    """Decides whether a hit in a lower tier is copied into a faster tier.

    The engine guarantees: it calls `promote` once for each faster tier, fastest last, and only for
    fresh entries. The implementer must answer from the arguments and from state of its own, which
    several threads may use at once; it must be quick and must not raise. The engine carries the
    remaining lifetime over; a policy can't lengthen it.
    """

    def promote(self, found: FoundBelow, into: TierFacts) -> bool:
        """Whether `found` is copied into the tier `into`."""
        ...
