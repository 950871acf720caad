"""Eviction churn: a million requests with Zipf's distribution over a million keys."""

from __future__ import annotations

import bisect
import functools
import itertools
import random

import cachetools

from tests.bench.report import print_ratios
from tests.bench.timing import measure, per_call
from tiered_cache import MemoryTier, TieredCache
from tiered_cache.policies import Sieve

__all__ = ["bench_churn"]

REQUESTS = 1_000_000
KEYS = 1_000_000
CAPACITY = 10_000
EXPONENT = 0.99


def zipf_keys(requests: int, keys: int, exponent: float) -> list[str]:
    """Keys drawn with a probability that falls with the power `exponent` of their rank."""
    return [f"key:{rank}" for rank in zipf_ranks(requests, keys, exponent)]


def zipf_ranks(requests: int, keys: int, exponent: float, seed: int = 1) -> list[int]:
    """Ranks from 0, drawn with a probability that falls with their power `exponent`."""
    weights = itertools.accumulate(1.0 / rank**exponent for rank in range(1, keys + 1))
    cumulative = list(weights)
    rng = random.Random(seed)
    total = cumulative[-1]
    return [bisect.bisect_left(cumulative, rng.random() * total) for _ in range(requests)]


def bench_churn() -> list[str]:
    """A request: a lookup, and on a miss an insertion and an eviction.

    The policies by themselves hold no lifetimes, count nothing and are not thread-safe; the cache
    does all that, and measures the computation.
    """
    keys = zipf_keys(REQUESTS, KEYS, EXPONENT)

    @functools.lru_cache(maxsize=CAPACITY)
    def lru(key: str) -> str:
        return key

    sieve: Sieve[str, str] = Sieve(CAPACITY)
    peer: cachetools.LRUCache[str, str] = cachetools.LRUCache(CAPACITY)
    with TieredCache([MemoryTier(CAPACITY)]) as cache:
        names = {
            "lru": lru,
            "cache": cache,
            "sieve": sieve,
            "peer": peer,
            "compute": lambda: "value",
        }

        def start_empty() -> None:
            lru.cache_clear()
            sieve.clear()
            peer.clear()
            cache.clear()

        get_or_insert = "if {0}.get(k) is None: {0}[k] = k"
        measured = measure(
            {
                "functools.lru_cache": per_call("lru(k)", names, keys),
                "Sieve, get or insert": per_call(get_or_insert.format("sieve"), names, keys),
                "cachetools.LRUCache, get or insert": per_call(
                    get_or_insert.format("peer"), names, keys
                ),
                "cache.get_or_compute": per_call(
                    "cache.get_or_compute(k, compute, ttl=3600.0)", names, keys
                ),
            },
            before=start_empty,
            rounds=3,
        )
        print(f"\n  hit rate of the churn: {cache.stats().hit_rate:.3f}")
    return print_ratios(
        "Churn, per request", measured, "functools.lru_cache", {"cache.get_or_compute": 3.0}
    )
