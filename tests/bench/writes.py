"""A burst of writes: the time until acknowledged, and until durable in every tier."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redis

from tests.bench.report import print_ratios
from tests.bench.timing import measure
from tiered_cache import DiskTier, MemoryTier, RedisTier, TieredCache
from tiered_cache.policies import WriteBack, WriteThrough
from tiered_cache.testing import ValkeyServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache.contracts import Tier
    from tiered_cache.policies import WritePolicy

__all__ = ["bench_writes"]

BURST = 10_000
VALUE = "x" * 1024
REPORT = {"messages": [{"line": line, "text": "x" * 30} for line in range(20)]}
"""A mutable value of some 1 KiB: it is encoded before the write is acknowledged."""
_ROUNDS = 3


class _Burst:
    """Sets every key once in a stack of its own; keeps the times of the last run."""

    def __init__(
        self, url: str, writing: WritePolicy, *, disk: bool, value: object = VALUE
    ) -> None:
        self._url = url
        self._value = value
        self._writing = writing
        self._disk = disk
        self._runs = 0
        self.acknowledged_s = 0.0
        self.durable_s = 0.0

    def run(self) -> float:
        """Seconds until acknowledged, for each write."""
        self._runs += 1
        with tempfile.TemporaryDirectory() as folder:
            tiers: list[Tier[Any]] = [MemoryTier(BURST)]
            if self._disk:
                tiers.append(DiskTier(Path(folder)))
            tiers.append(RedisTier(self._url))
            namespace = f"burst-{id(self)}-{self._runs}"
            with TieredCache(tiers, namespace=namespace, writing=self._writing) as cache:
                started = time.perf_counter()
                for number in range(BURST):
                    cache.set(f"package.module.analyze:{number:032x}", self._value, ttl=3600.0)
                self.acknowledged_s = (time.perf_counter() - started) / BURST
                if not cache.flush("60s"):
                    msg = "the burst did not arrive"
                    raise RuntimeError(msg)
                self.durable_s = (time.perf_counter() - started) / BURST
        return self.acknowledged_s

    def durable(self) -> float:
        """Seconds until durable in every tier, for each write of the last run."""
        return self.durable_s

    def flushed(self) -> float:
        """Seconds of flushing alone, per write: all writes are acknowledged before it begins."""
        self.run()
        return self.durable_s - self.acknowledged_s


def _pipeline(client: redis.Redis) -> Callable[[], float]:
    def run() -> float:
        started = time.perf_counter()
        for first in range(0, BURST, 500):
            pipe = client.pipeline(transaction=False)
            for number in range(first, first + 500):
                pipe.set(f"plain:{number:032x}", VALUE, ex=3600)
            pipe.execute()
        return (time.perf_counter() - started) / BURST

    return run


def bench_writes() -> list[str]:
    """10,000 sets of 1 KiB into memory, disk and Redis, by each write policy."""
    patient = WriteBack(flush_interval="1h", max_delay="2h", max_pending=4 * BURST)
    with ValkeyServer(port=0) as server, redis.Redis.from_url(server.url) as client:
        through = _Burst(server.url, WriteThrough(), disk=True)
        memory = _Burst(server.url, WriteBack(max_pending=4 * BURST), disk=True)
        changeable = _Burst(server.url, WriteBack(max_pending=4 * BURST), disk=True, value=REPORT)
        disk = _Burst(server.url, WriteBack("disk", max_pending=4 * BURST), disk=True)
        alone = _Burst(server.url, patient, disk=False)
        acknowledged = measure(
            {
                "write-through": through.run,
                "write-through, durable everywhere": through.durable,
                "write-back, memory": memory.run,
                "write-back, memory, durable everywhere": memory.durable,
                "write-back, memory, a dictionary": changeable.run,
                "write-back, disk": disk.run,
                "write-back, disk, durable everywhere": disk.durable,
            },
            rounds=_ROUNDS,
        )
        flushed = measure(
            {
                "redis-py pipeline of 500": _pipeline(client),
                "flushing memory over Redis": alone.flushed,
            },
            rounds=_ROUNDS,
        )
    missed = print_ratios(
        f"A burst of {BURST} writes of 1 KiB, per write until acknowledged",
        acknowledged,
        "write-through",
        {"write-back, memory": 1 / 20},
    )
    return missed + print_ratios(
        "Flushing that burst, per write",
        flushed,
        "redis-py pipeline of 500",
        {"flushing memory over Redis": 1.5},
    )
