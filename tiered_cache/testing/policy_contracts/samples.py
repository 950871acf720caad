"""The tiers, lifetimes and costs that suites of policies try."""

from __future__ import annotations

import math

from tiered_cache_policies.contracts import TierFacts

__all__ = ["COSTS", "LIFETIMES", "STACK"]

STACK = (
    TierFacts("memory", 0, durable=False, shared=False),
    TierFacts("disk", 1, durable=True, shared=False),
    TierFacts("near", 2, durable=True, shared=True),
    TierFacts("far", 3, durable=True, shared=True),
)
"""A stack of four tiers."""

LIFETIMES = (math.inf, 1e-3, 3600.0)
"""Lifetimes, in seconds."""

COSTS = (0.0, 1e-6, 1e4)
"""Costs, in seconds."""
