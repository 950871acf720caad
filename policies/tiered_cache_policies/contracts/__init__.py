"""The contracts of policies: a Protocol for each kind, and the facts that it decides from.

A policy does no I/O, starts no threads and reads no clock. Its arguments are immutable, so threads
may share them. The package imports nothing; the engine, the tiers and all policies import it.
"""

from __future__ import annotations

from tiered_cache_policies.contracts.admission_policy import AdmissionPolicy, Candidate
from tiered_cache_policies.contracts.eviction_policy import (
    CostAware,
    EvictionPolicy,
    LockFreeReads,
    Node,
)
from tiered_cache_policies.contracts.expiry_policy import ExpiryPolicy, NewValue
from tiered_cache_policies.contracts.promotion_policy import FoundBelow, PromotionPolicy
from tiered_cache_policies.contracts.refresh_policy import Hit, HitAction, RefreshPolicy
from tiered_cache_policies.contracts.statistics_policy import StatisticsPolicy
from tiered_cache_policies.contracts.tier_facts import TierFacts
from tiered_cache_policies.contracts.write_policy import (
    Durability,
    QueueLimits,
    QueuesWrites,
    WritePlan,
    WritePolicy,
    WriteRequest,
)

__all__ = [
    "AdmissionPolicy",
    "Candidate",
    "CostAware",
    "Durability",
    "EvictionPolicy",
    "ExpiryPolicy",
    "FoundBelow",
    "Hit",
    "HitAction",
    "LockFreeReads",
    "NewValue",
    "Node",
    "PromotionPolicy",
    "QueueLimits",
    "QueuesWrites",
    "RefreshPolicy",
    "StatisticsPolicy",
    "TierFacts",
    "WritePlan",
    "WritePolicy",
    "WriteRequest",
]
