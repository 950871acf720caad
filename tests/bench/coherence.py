"""Coherence: how soon a change arrives elsewhere, and what tags cost a hit."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.bench.report import print_ratios
from tests.bench.timing import measure, per_call
from tiered_cache import Coherence, DiskTier, MemoryTier, RedisTier, TieredCache
from tiered_cache.testing import ValkeyServer

__all__ = ["bench_coherence"]

CHANGES = 100
HITS = 2000
_GAP_S = 0.07
"""So long after one change the next is made: until the reader has heard of the last one, and rests."""


def bench_coherence() -> list[str]:
    """The delay of a change between two caches, over a disk and over Redis; hits with tags."""
    with tempfile.TemporaryDirectory() as folder, ValkeyServer() as server, ExitStack() as stack:
        patient = Coherence(bound="1h")
        print(f"\nFrom the end of a set to the first read elsewhere that sees it, {CHANGES} times")
        for name in ("disk", "redis"):

            def open_cache(name: str = name) -> TieredCache:
                shared = (
                    DiskTier(Path(folder) / "shared") if name == "disk" else RedisTier(server.url)
                )
                made = TieredCache([MemoryTier(), shared], namespace=name, coherence=patient)
                return stack.enter_context(made)

            _print_delays(name, _delays(open_cache(), open_cache()))
        return _bench_hits()


def _delays(here: TieredCache, elsewhere: TieredCache) -> list[float]:
    """Seconds, in ascending order."""
    time.sleep(0.2)  # past the time for which a cache that was just opened asks nobody
    here.get("key")
    delays = []
    for number in range(CHANGES):
        time.sleep(_GAP_S)
        elsewhere.get("key")  # into its memory
        time.sleep(_GAP_S)
        here.set("key", number)
        changed_s = time.perf_counter()
        while elsewhere.get("key") != number:
            time.sleep(0.0001)
        delays.append(time.perf_counter() - changed_s)
    return sorted(delays)


def _print_delays(name: str, delays: list[float]) -> None:
    median, late = delays[len(delays) // 2], delays[int(len(delays) * 0.99)]
    print(f"  over {name:8} median {median * 1e3:.2f} ms, p99 {late * 1e3:.2f} ms")


def _bench_hits() -> list[str]:
    with TieredCache([MemoryTier(4 * HITS)]) as cache:
        keys = [f"key {number}" for number in range(HITS)]
        for key in keys:
            cache.set(key, "value")
            cache.set(f"one {key}", "value", tags={"a"})
            cache.set(f"two {key}", "value", tags={"a", "b"})
        measured = measure(
            {
                "without tags": per_call("get(k)", {"get": cache.get}, keys),
                "with one tag": per_call("get(k)", {"get": cache.get}, [f"one {k}" for k in keys]),
                "with two tags": per_call("get(k)", {"get": cache.get}, [f"two {k}" for k in keys]),
            }
        )
    return print_ratios("A hit in memory", measured, "without tags", {})
