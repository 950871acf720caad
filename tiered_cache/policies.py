"""The policies of tiered_cache, and the contracts for policies of other packages."""

from __future__ import annotations

from tiered_cache_policies.admission.break_even import BreakEven
from tiered_cache_policies.admission.max_bytes import MaxBytes
from tiered_cache_policies.admission.min_cost import MinCost
from tiered_cache_policies.admission.operators import AllOf, AnyOf, Combining, Not
from tiered_cache_policies.admission.second_hit import SecondHit
from tiered_cache_policies.contracts import (
    AdmissionPolicy,
    Candidate,
    CostAware,
    Durability,
    EvictionPolicy,
    ExpiryPolicy,
    FoundBelow,
    Hit,
    HitAction,
    LockFreeReads,
    NewValue,
    Node,
    PromotionPolicy,
    QueueLimits,
    QueuesWrites,
    RefreshPolicy,
    StatisticsPolicy,
    TierFacts,
    WritePlan,
    WritePolicy,
    WriteRequest,
)
from tiered_cache_policies.eviction.adaptive import Adaptive
from tiered_cache_policies.eviction.arc import ARC
from tiered_cache_policies.eviction.fifo import FIFO
from tiered_cache_policies.eviction.gdsf import GDSF
from tiered_cache_policies.eviction.lfu import LFU
from tiered_cache_policies.eviction.lru import LRU
from tiered_cache_policies.eviction.s3fifo import S3FIFO
from tiered_cache_policies.eviction.sieve import Sieve
from tiered_cache_policies.eviction.tinylfu import TinyLFU
from tiered_cache_policies.eviction.ttl import TTL
from tiered_cache_policies.expiry.jittered import Jittered
from tiered_cache_policies.expiry.negative import Negative
from tiered_cache_policies.expiry.until import Until
from tiered_cache_policies.latency_histogram import LatencyHistogram
from tiered_cache_policies.promotion.always import Always
from tiered_cache_policies.promotion.by_bytes import ByBytes
from tiered_cache_policies.promotion.never import Never
from tiered_cache_policies.promotion.on_hit import OnHit
from tiered_cache_policies.promotion.probabilistic import Probabilistic
from tiered_cache_policies.refreshing.early_refresh import EarlyRefresh
from tiered_cache_policies.refreshing.refresh_ahead import RefreshAhead
from tiered_cache_policies.refreshing.sliding import Sliding
from tiered_cache_policies.statistics.counters import Counters
from tiered_cache_policies.statistics.histograms import Histograms
from tiered_cache_policies.statistics.off import Off
from tiered_cache_policies.statistics.sampled import Sampled
from tiered_cache_policies.writing.write_around import WriteAround
from tiered_cache_policies.writing.write_back import WriteBack
from tiered_cache_policies.writing.write_through import WriteThrough

__all__ = [
    "ARC",
    "FIFO",
    "GDSF",
    "LFU",
    "LRU",
    "S3FIFO",
    "TTL",
    "Adaptive",
    "AdmissionPolicy",
    "AllOf",
    "Always",
    "AnyOf",
    "BreakEven",
    "ByBytes",
    "Candidate",
    "Combining",
    "CostAware",
    "Counters",
    "Durability",
    "EarlyRefresh",
    "EvictionPolicy",
    "ExpiryPolicy",
    "FoundBelow",
    "Histograms",
    "Hit",
    "HitAction",
    "Jittered",
    "LatencyHistogram",
    "LockFreeReads",
    "MaxBytes",
    "MinCost",
    "Negative",
    "Never",
    "NewValue",
    "Node",
    "Not",
    "Off",
    "OnHit",
    "Probabilistic",
    "PromotionPolicy",
    "QueueLimits",
    "QueuesWrites",
    "RefreshAhead",
    "RefreshPolicy",
    "Sampled",
    "SecondHit",
    "Sieve",
    "Sliding",
    "StatisticsPolicy",
    "TierFacts",
    "TinyLFU",
    "Until",
    "WriteAround",
    "WriteBack",
    "WritePlan",
    "WritePolicy",
    "WriteRequest",
    "WriteThrough",
]
