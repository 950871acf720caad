"""Single flight: its cost for a miss, and the time that waiters wait."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.report import print_ratios
from tests.bench.timing import Measured, measure, per_call
from tiered_cache import Coherence, DiskTier, MemoryTier, RedisTier, TieredCache
from tiered_cache._engine.state.flights import Flights
from tiered_cache.testing import ValkeyServer, race

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.queues import Queue
    from multiprocessing.synchronize import Barrier

    from tiered_cache.contracts import Tier

__all__ = ["bench_flights"]

MISSES = 2000
COMPUTING_S = 0.2
ROUNDS = 5
PROCESSES = 8
MISS_LIMIT_S = 30e-6
HIT_LOOPS = 5
HIT_LIMIT = 1.1
"""Allowance for noise: the promise is that nothing is added."""

PATIENT = Coherence(bound="1h")
"""Longer than the measurement, so that none of its hits reads the log of changes."""

_forking = multiprocessing.get_context("fork")


def bench_flights() -> list[str]:
    """A hit, a miss, and waiting for another caller's computation of 200 ms."""
    return _bench_hits() + _bench_misses() + _bench_waiting()


def _bench_hits() -> list[str]:
    with tempfile.TemporaryDirectory() as folder, ValkeyServer() as server:
        thread = TieredCache([MemoryTier()])
        host = TieredCache([MemoryTier(), DiskTier(folder)], coherence=PATIENT)
        cluster = TieredCache([MemoryTier(), RedisTier(server.url)], coherence=PATIENT)
        with thread, host, cluster:
            keys = [f"key {number}" for number in range(MISSES)]
            for cache in (thread, host, cluster):
                cache.set_many(dict.fromkeys(keys, "value"))
            names = {"thread": thread, "host": host, "cluster": cluster, "compute": _compute}
            subjects = {
                "get, which flies nothing": per_call("thread.get(k)", names, keys, HIT_LOOPS)
            } | {
                f"get_or_compute, scope {name}": per_call(
                    f"{name}.get_or_compute(k, compute)", names, keys, HIT_LOOPS
                )
                for name in ("thread", "host", "cluster")
            }
            measured = measure(subjects)
    base = "get_or_compute, scope thread"
    limits = {f"get_or_compute, scope {name}": HIT_LIMIT for name in ("host", "cluster")}
    return print_ratios("Single flight on a hit in memory", measured, base, limits)


def _bench_misses() -> list[str]:
    with tempfile.TemporaryDirectory() as folder, ValkeyServer() as server:
        memory = TieredCache([MemoryTier(MISSES)])
        disk = TieredCache([MemoryTier(MISSES), DiskTier(folder)])
        redis = TieredCache([MemoryTier(MISSES), RedisTier(server.url)])
        with memory, disk, redis:
            names = {
                "memory": memory,
                "disk": disk,
                "redis": redis,
                "compute": lambda: "value",
                "flights": Flights(),
            }
            ask = "{0}.get_or_compute(k, compute, scope={1!r}); {0}.delete(k)"
            keys = [f"key {number}" for number in range(MISSES)]
            measured = measure(
                {
                    "memory: a miss and a deletion": per_call(
                        ask.format("memory", "thread"), names, keys
                    ),
                    "the flight alone": per_call(
                        "f, _ = flights.board(k); flights.retire(f)", names, keys
                    ),
                    "disk: threads only": per_call(ask.format("disk", "thread"), names, keys),
                    "disk: with a lease": per_call(ask.format("disk", "host"), names, keys),
                    "redis: threads only": per_call(ask.format("redis", "thread"), names, keys),
                    "redis: with a lease": per_call(ask.format("redis", "cluster"), names, keys),
                },
                rounds=ROUNDS,
            )
    missed = print_ratios("Single flight on a miss", measured, "memory: a miss and a deletion", {})
    alone_s = measured["the flight alone"].median
    held = "held" if alone_s < MISS_LIMIT_S else "MISSED"
    print(f"  the flight alone: promised under {MISS_LIMIT_S * 1e6:g} µs: {held}")
    if held == "MISSED":
        missed.append(f"Single flight on a miss: {alone_s * 1e6:.1f} µs")
    return missed


def _bench_waiting() -> list[str]:
    with tempfile.TemporaryDirectory() as folder, ValkeyServer() as server:

        def disk_only(_: int) -> list[Tier[Any]]:
            return [MemoryTier(), DiskTier(Path(folder) / "shared")]

        def own_disk(number: int) -> list[Tier[Any]]:
            return [
                MemoryTier(),
                DiskTier(Path(folder) / str(number)),
                RedisTier(server.url, timeout="5s"),
            ]

        measured = {
            "the computation alone": _spread([_timed(_compute) for _ in range(ROUNDS)]),
            "64 threads": _spread([_threads() for _ in range(ROUNDS)]),
            "8 processes of 8 threads, by the disk": _spread(_processes(disk_only)),
            "8 processes of 8 threads, by Redis": _spread(_processes(own_disk)),
        }
    limits = dict.fromkeys(list(measured)[2:], 1.25) | {"64 threads": 1.05}
    return print_ratios(
        "Until all have the value of 200 ms", measured, "the computation alone", limits
    )


def _compute() -> str:
    time.sleep(COMPUTING_S)
    return "value"


def _timed(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def _spread(times: list[float]) -> Measured:
    times.sort()
    return Measured(times[len(times) // 2], times[0], times[-1])


def _threads() -> float:
    with TieredCache([MemoryTier()]) as cache:
        times = race(64, lambda _: _stamped(cache, "key"))
    return max(end for _, end in times) - min(start for start, _ in times)


def _stamped(cache: TieredCache, key: str) -> tuple[float, float]:
    """The instants of a call and of its answer, on a clock that all processes share."""
    started = time.monotonic()
    cache.get_or_compute(key, _compute)
    return started, time.monotonic()


def _processes(make_tiers: Callable[[int], list[Tier[Any]]]) -> list[float]:
    """For each round, the seconds from the first question to the last answer."""
    answers: Queue[list[tuple[float, float]]] = _forking.Queue()
    together = _forking.Barrier(PROCESSES)
    children = [
        _forking.Process(target=_child, args=(number, make_tiers, together, answers))
        for number in range(PROCESSES)
    ]
    for child in children:
        child.start()
    spans = [answers.get(timeout=120) for _ in children]
    for child in children:
        child.join(60)
    return [
        max(end for _, end in turn) - min(start for start, _ in turn)
        for turn in zip(*spans, strict=True)
    ]


def _child(
    number: int,
    make_tiers: Callable[[int], list[Tier[Any]]],
    together: Barrier,
    answers: Queue[list[tuple[float, float]]],
) -> None:
    spans = []
    with TieredCache(make_tiers(number)) as cache:
        for turn in range(ROUNDS):
            together.wait(60)
            times = race(8, lambda _, turn=turn: _stamped(cache, f"key {turn}"))  # type: ignore[misc] # a default
            spans.append((min(start for start, _ in times), max(end for _, end in times)))
    answers.put(spans)
