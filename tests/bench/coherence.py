"""Coherence: the delay of a change, and the cost of generations and tags."""

from __future__ import annotations

import math
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.report import print_ratios
from tests.bench.timing import measure, per_call
from tiered_cache import Coherence, DiskTier, MemoryTier, RedisTier, TieredCache
from tiered_cache.codec import RecordCodec
from tiered_cache.contracts import Put
from tiered_cache.entry import Entry
from tiered_cache.testing import ValkeyServer, make_context

if TYPE_CHECKING:
    from tiered_cache.contracts import Tier

__all__ = ["bench_coherence"]

CHANGES = 100
HITS = 2000
FILLS = 500
_TAGS: dict[str, set[str]] = {
    "without tags": set(),
    "with one tag": {"a"},
    "with two tags": {"a", "b"},
}
_GAP_S = 0.07
"""Pause between two changes: the reader has read the last one, and is idle again."""


def bench_coherence() -> list[str]:
    """The delay of a change between two caches; the cost of generations for a fill, and of tags."""
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
    return _bench_generations() + _bench_tags()


def _delays(here: TieredCache, elsewhere: TieredCache) -> list[float]:
    """Seconds, in ascending order."""
    time.sleep(0.2)  # a cache reads no log right after it was opened
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
    print(f"  over {name:8} p50 {median * 1e3:.2f} ms, p99 {late * 1e3:.2f} ms")


def _bench_generations() -> list[str]:
    """A fill that lands only on an unchanged key, and one that always lands."""
    keys = [f"key {number}" for number in range(FILLS)]
    missed = []
    with tempfile.TemporaryDirectory() as folder, ValkeyServer() as server:
        tiers: list[Tier[Any]] = [MemoryTier(2 * FILLS), DiskTier(folder), RedisTier(server.url)]
        for tier in tiers:
            tier.open(make_context("default")[0])
            entry = Entry("value" * 70, created_s=time.time())
            item = RecordCodec("default").encode("key", entry, tier.reach)
            names = {
                "get": tier.get,
                "put": tier.put,
                "item": item if tier.holds_records else entry,
                "inf": math.inf,
                "Put": Put,
            }
            guarded = "put(k, Put(item, inf, get(k).token, True))"

            def empty(tier: Tier[Any] = tier) -> None:
                tier.clear()

            measured = measure(
                {
                    "a lookup and a write": per_call(
                        "get(k); put(k, Put(item, inf, fill=True))", names, keys
                    ),
                    "a lookup and a guarded fill": per_call(guarded, names, keys),
                },
                before=empty,
            )
            tier.close()
            missed += print_ratios(
                f"Generations, {tier.name}", measured, "a lookup and a write", {}
            )
    return missed


def _bench_tags() -> list[str]:
    missed = []
    with tempfile.TemporaryDirectory() as folder, ValkeyServer() as server:
        for below in ([], [DiskTier(folder)], [RedisTier(server.url)]):
            tiers: list[Tier[Any]] = [MemoryTier(4 * HITS), *below]
            name = tiers[-1].name
            with TieredCache(tiers, coherence=Coherence(bound="1h")) as cache:
                names = {"cache": cache, "compute": lambda: "value"}
                keys = [f"key {number}" for number in range(FILLS)]

                def empty(cache: TieredCache = cache) -> None:
                    cache.clear()

                fill = "cache.get_or_compute(k, compute, tags={})"
                measured = measure(
                    {
                        each: per_call(fill.format(tags), names, keys)
                        for each, tags in _TAGS.items()
                    },
                    before=empty,
                )
                title = f"A miss that is filled, {name}"
                missed += print_ratios(title, measured, "without tags", {})
                missed += _bench_hits(cache, name)
    return missed


def _bench_hits(cache: TieredCache, name: str) -> list[str]:
    """Hits in the slowest tier: the tiers above it are emptied before each round."""
    count = HITS if name == "memory" else FILLS
    for each, tags in _TAGS.items():
        cache.set_many({f"{each} {number}": "value" for number in range(count)}, tags=tags)
    above = [level.tier for level in cache._source.core().stack.levels[:-1]]

    def empty() -> None:
        for tier in above:
            tier.clear()

    measured = measure(
        {
            each: per_call(
                "get(k)", {"get": cache.get}, [f"{each} {number}" for number in range(count)]
            )
            for each in _TAGS
        },
        before=empty,
    )
    return print_ratios(f"A hit in {name}", measured, "without tags", {})
