"""Write the lowest tier only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache_policies.contracts import WritePlan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache_policies.contracts import TierFacts, WriteRequest

__all__ = ["WriteAround"]


class WriteAround:
    """The write policy that writes the lowest tier now and leaves the faster ones out.

    What the faster tiers held for the key is deleted; they get the value when it is read again,
    as the promotion policy says. Right for values that are seldom read soon after they were
    written: they push nothing else out. It has no state, so any number of threads and caches may
    share one.
    """

    def plan(self, request: WriteRequest, tiers: Sequence[TierFacts]) -> WritePlan:
        """The lowest level alone."""
        return WritePlan(now=(tiers[-1].level,))
