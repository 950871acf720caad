"""The policies that come with tiered_cache, and the contracts for your own."""

from __future__ import annotations

from tiered_cache_policies.contracts import (
    Durability,
    EvictionPolicy,
    FoundBelow,
    LockFreeReads,
    Node,
    PromotionPolicy,
    QueueLimits,
    QueuesWrites,
    TierFacts,
    WritePlan,
    WritePolicy,
    WriteRequest,
)
from tiered_cache_policies.eviction.fifo import FIFO
from tiered_cache_policies.eviction.lfu import LFU
from tiered_cache_policies.eviction.lru import LRU
from tiered_cache_policies.eviction.sieve import Sieve
from tiered_cache_policies.eviction.ttl import TTL
from tiered_cache_policies.promotion.always import Always
from tiered_cache_policies.promotion.never import Never
from tiered_cache_policies.writing.write_around import WriteAround
from tiered_cache_policies.writing.write_back import WriteBack
from tiered_cache_policies.writing.write_through import WriteThrough

__all__ = [
    "FIFO",
    "LFU",
    "LRU",
    "TTL",
    "Always",
    "Durability",
    "EvictionPolicy",
    "FoundBelow",
    "LockFreeReads",
    "Never",
    "Node",
    "PromotionPolicy",
    "QueueLimits",
    "QueuesWrites",
    "Sieve",
    "TierFacts",
    "WriteAround",
    "WriteBack",
    "WritePlan",
    "WritePolicy",
    "WriteRequest",
    "WriteThrough",
]
