"""The cost of each statistics policy for a hit, beside counting nothing."""

from __future__ import annotations

import contextlib
import tempfile
from typing import TYPE_CHECKING

from tests.bench.report import print_ratios
from tests.bench.timing import measure, per_call
from tiered_cache import DiskTier, MemoryTier, TieredCache
from tiered_cache.policies import Counters, Histograms, Off, Sampled

if TYPE_CHECKING:
    from tiered_cache.policies import StatisticsPolicy

__all__ = ["bench_counting"]

_POLICIES: dict[str, StatisticsPolicy] = {
    "Off": Off(),
    "Counters": Counters(),
    "Histograms": Histograms(),
    "Sampled(0.1)": Sampled(0.1),
}


def bench_counting() -> list[str]:
    """A hit in memory, and one on disk that is promoted, under each statistics policy."""
    keys = [f"package.module.analyze:{number:032x}" for number in range(1000)]
    with contextlib.ExitStack() as stack:
        caches = {}
        for name, policy in _POLICIES.items():
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            cache = stack.enter_context(
                TieredCache([MemoryTier(), DiskTier(folder)], statistics=policy)
            )
            cache.set_many(dict.fromkeys(keys, "value"), ttl="1h")
            caches[name] = cache
        hits = {
            name: per_call("get(k)", {"get": cache.get}, keys, 20) for name, cache in caches.items()
        }
        missed = print_ratios("L1 hit", measure(hits), "Off", {"Counters": 1.15})

        def forget() -> None:
            for cache in caches.values():
                cache._source.core().stack.levels[0].tier.clear()

        below = {name: per_call("get(k)", {"get": each.get}, keys) for name, each in caches.items()}
        return missed + print_ratios(
            "L2 hit", measure(below, before=forget), "Off", {"Counters": 1.15}
        )
