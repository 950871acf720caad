"""The cost of statistics: a sampled hit, publishing, and reading a hundred processes."""

from __future__ import annotations

import functools
import math
import statistics
import tempfile
import time
from typing import TYPE_CHECKING, Any

from tests.bench.report import print_ratios
from tests.bench.timing import measure, per_call
from tiered_cache import DiskTier, MemoryTier, TieredCache
from tiered_cache.policies import Histograms
from tiered_cache.stats.curves.shards import DIGEST_MASK, Shards
from tiered_cache.stats.fleet.board_state import PROCESS, read_board
from tiered_cache.stats.fleet.reports import ProcessReport, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache.contracts import Tier

__all__ = ["bench_numbers"]

_PROCESSES = 100
_ROUNDS = 9


def bench_numbers() -> list[str]:
    """Hits with and without a sample; a lookup in the sample; publishing; reading a fleet."""
    return _sampled_hits() + _publishing() + _fleet()


def _sampled_hits() -> list[str]:
    keys = [f"package.module.analyze:{number:032x}" for number in range(2000)]
    with TieredCache([MemoryTier(1000)]) as sampled, TieredCache([MemoryTier(1000)]) as blind:
        tier = blind._source.core().stack.levels[0].tier
        assert isinstance(tier, MemoryTier)
        tier._rest_s = lambda _: math.inf
        rounds = {}
        for name, cache in {"without curves": blind, "with curves": sampled}.items():
            cache.set_many(dict.fromkeys(keys, "value"), ttl="1h")
            held = [*cache.keys()][:500]
            rounds[name] = per_call("get(k)", {"get": cache.get}, held, 100)
        missed = print_ratios(
            "L1 hit in a full tier, all its keys in the sample",
            measure(rounds),
            "without curves",
            {"with curves": 1.03},
        )
    shards = Shards()
    digests = [hash(key) & DIGEST_MASK for key in keys]
    seen = {"one lookup in the sample": per_call("see(k)", {"see": shards.see}, digests, 10)}
    print_ratios("SHARDS", measure(seen), "one lookup in the sample", {})
    return missed


def _median_ms(action: Callable[[], object]) -> float:
    times = []
    for _ in range(_ROUNDS):
        started = time.thread_time()
        action()
        times.append(time.thread_time() - started)
    return statistics.median(times) * 1000


def _publishing() -> list[str]:
    print("\nPublishing, CPU time of one publication; one every 2 s is 0.1 % of a core at 2 ms")
    for entries in (100, 10_000):
        with tempfile.TemporaryDirectory() as folder, _used(folder, entries) as cache:
            publish = cache._source.core()._publisher.publish
            spent_ms = _median_ms(functools.partial(publish, 60.0))
        share = spent_ms / 2000
        slower = "" if share <= 0.001 else f": it is done every {spent_ms:.0f} s instead"
        print(f"  {entries:6,} entries in memory   {spent_ms:6.2f} ms   {share:.3%}{slower}")
    return []


def _used(folder: str, entries: int) -> TieredCache:
    cache = TieredCache([MemoryTier(entries), DiskTier(folder)], statistics=Histograms())
    for number in range(entries):
        cache.get_or_compute(f"{number}", int, scope="thread")
    return cache


def _fleet() -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        tiers: list[Tier[Any]] = [
            MemoryTier(100),
            *(DiskTier(f"{folder}/{n}", name=f"disk{n}") for n in range(3)),
        ]
        with TieredCache(tiers, statistics=Histograms()) as cache:
            for number in range(500):
                cache.get_or_compute(f"{number % 200}", int, scope="thread")
            stats = cache.stats()
            (first, *_) = cache._source.core()._publisher.outlets
            for number in range(_PROCESSES):
                report = ProcessReport(
                    name=f"host:{number}:1",
                    host="host",
                    pid=number,
                    program="bench",
                    started_s=0.0,
                    at_s=0.0,
                    stats=stats,
                )
                first.board.put(f"{PROCESS}{report.name}", encode(report), 60.0, new=True)
            spent_ms = _median_ms(lambda: read_board(first.board).stats())
            size = len(encode(read_board(first.board).running[0]))
    print(f"\nReading {_PROCESSES} processes with 4 tiers and histograms, {size:,} bytes each")
    verdict = "held" if spent_ms < 100 else "MISSED"
    print(f"  {spent_ms:.1f} ms of CPU time   promised less than 100: {verdict}")
    return [] if spent_ms < 100 else [f"reading a fleet took {spent_ms:.0f} ms"]
