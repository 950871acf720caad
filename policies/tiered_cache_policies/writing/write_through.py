"""Write to every tier before the call returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache_policies.contracts import WritePlan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache_policies.contracts import TierFacts, WriteRequest

__all__ = ["WriteThrough"]


class WriteThrough:
    """The write policy that writes to every tier now, lowest first.

    A value in a faster tier is then in each slower tier too, unless a tier failed. So a process that
    dies during the write leaves no value that only it could see. The caller waits for every tier.
    Stateless: threads and caches may share one.
    """

    def plan(self, request: WriteRequest, tiers: Sequence[TierFacts]) -> WritePlan:
        """All levels, from the lowest tier up."""
        return WritePlan(now=tuple(tier.level for tier in reversed(tiers)))
