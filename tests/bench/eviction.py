"""The cost of a replay under each eviction policy, and its hit ratio."""

from __future__ import annotations

import array
import lzma
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cachetools

from tests.bench.churn import zipf_keys
from tests.bench.report import print_ratios
from tests.bench.timing import measure
from tiered_cache.policies import ARC, GDSF, LFU, LRU, S3FIFO, Adaptive, Sieve, TinyLFU

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["bench_eviction"]

POLICIES: dict[str, Callable[[float], Any]] = {
    "S3FIFO": S3FIFO,
    "Sieve": Sieve,
    "TinyLFU": TinyLFU,
    "Adaptive": Adaptive,
    "ARC": ARC,
    "GDSF": GDSF,
    "LFU": LFU,
    "LRU": LRU,
}
PROMISED = {"S3FIFO": 1.0, "Sieve": 1.0, "TinyLFU": 1.5, "Adaptive": 3.0}
_TRACES = Path(__file__).parents[3] / "shared" / "traces"
_REAL = ("cache2k-web07", "lirs-sprite", "lirs-multi1", "adaptsize")
_ROUNDS = 5


def bench_eviction() -> list[str]:
    """A replay: a lookup for each request, and an insertion for each miss."""
    requests = {"zipf, exponent 0.99": zipf_keys(300_000, 100_000, 0.99)}
    for name in _REAL:
        path = _TRACES / f"{name}.u64.xz"
        if path.exists():
            found = array.array("Q")
            with lzma.open(path) as file:
                found.frombytes(file.read())
            requests[name] = [f"{key:x}" for key in found]
    return [missed for name, keys in requests.items() for missed in _bench_trace(name, keys)]


def _bench_trace(name: str, keys: Sequence[str]) -> list[str]:
    capacity = max(20, len(set(keys)) // 10)
    base = "cachetools.LRUCache"
    kept: dict[str, float] = {}
    subjects = {base: _replay(base, cachetools.LRUCache, capacity, keys, kept)}
    for policy, make in POLICIES.items():
        subjects[policy] = _replay(policy, make, capacity, keys, kept)
    measured = measure(subjects, rounds=_ROUNDS)
    named = {policy: f"{policy}, hit ratio {100 * kept[policy]:.1f} %" for policy in subjects}
    return print_ratios(
        f"Replay of {name}, {len(keys)} requests, capacity {capacity}, per request",
        {named[policy]: each for policy, each in measured.items()},
        named[base],
        {named[policy]: limit for policy, limit in PROMISED.items()},
    )


def _replay(
    name: str,
    make: Callable[[float], Any],
    capacity: int,
    keys: Sequence[str],
    kept: dict[str, float],
) -> Callable[[], float]:
    def run() -> float:
        policy = make(capacity)
        misses = 0
        started = time.perf_counter()
        for key in keys:
            if policy.get(key) is None:
                misses += 1
                policy[key] = key
        seconds = time.perf_counter() - started
        kept[name] = 1 - misses / len(keys)
        return seconds / len(keys)

    return run
