"""Seconds saved at equal bytes: requests for real analyses, with their measured costs and sizes."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.churn import zipf_ranks
from tiered_cache import DiskTier, MemoryTier, TieredCache, record_trace
from tiered_cache.demo.analyses import ANALYSES, Source, analyze
from tiered_cache.demo.source_tree import standard_library
from tiered_cache.policies import GDSF, LRU, S3FIFO
from tiered_cache.traces import read_trace, replay

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache.contracts import Tier
    from tiered_cache.traces import Trace

__all__ = ["bench_costs"]

FILES = 150
REQUESTS = 30_000
SHARES = (0.02, 0.05, 0.1, 0.2)


def bench_costs() -> list[str]:
    """GDSF beside LRU over the analyses of the demo, each file asked for by Zipf's distribution."""
    trace = _recorded()
    print(
        f"\n{len(trace.keys)} requests for {len(set(trace.keys))} analyses of {FILES} files of the "
        f"standard library, {trace.volume:,} bytes together; seconds saved"
    )
    print(f"  {'bytes':>12} {'LRU':>10} {'S3FIFO':>10} {'GDSF':>10}")
    missed = []
    for share in SHARES:
        capacity = round(trace.volume * share)
        saved = {policy: replay(trace, policy, capacity).saved_s for policy in (LRU, S3FIFO, GDSF)}
        print(f"  {capacity:>12,} " + " ".join(f"{each:>10.1f}" for each in saved.values()))
        if saved[GDSF] <= saved[LRU]:
            missed.append(
                f"Seconds saved in {capacity} bytes: GDSF {saved[GDSF]:.1f} <= LRU {saved[LRU]:.1f}"
            )
    return missed


def _recorded() -> Trace:
    """The access log of a cache that computed each analysis once, and then served the requests."""
    rng = random.Random(7)
    tree = standard_library()
    files = rng.sample([name for name, _ in tree.files], FILES)
    calls: dict[str, Callable[[], Any]] = {}
    for name in files:
        source = Source((tree.root / name).read_bytes(), name.endswith("__init__.py"))
        for analysis in ANALYSES:
            calls[f"{analysis.name}:{name}"] = lambda a=analysis, s=source: analyze(a, s)  # type: ignore[misc] # bound now
    keys = list(calls)
    rng.shuffle(keys)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "requests"
        tiers: list[Tier[Any]] = [MemoryTier(len(keys)), DiskTier(Path(folder) / "disk")]
        with TieredCache(tiers) as cache, record_trace(path, cache):
            for rank in zipf_ranks(REQUESTS, len(keys), 0.8):
                cache.get_or_compute(keys[rank], calls[keys[rank]])
        return read_trace(path)
