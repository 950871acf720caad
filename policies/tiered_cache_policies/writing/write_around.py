"""Write to the lowest tier only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache_policies.contracts import WritePlan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache_policies.contracts import TierFacts, WriteRequest

__all__ = ["WriteAround"]


class WriteAround:
    """The write policy that writes to the lowest tier only.

    Entries of the key in faster tiers are deleted. A later read brings the value back into them, if
    the promotion policy agrees. It suits values that are seldom read soon after the write, because
    they displace no other entry. Stateless: threads and caches may share one.
    """

    def plan(self, request: WriteRequest, tiers: Sequence[TierFacts]) -> WritePlan:
        """The lowest level alone."""
        return WritePlan(now=(tiers[-1].level,))
