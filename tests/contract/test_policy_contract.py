"""Our policies pass the public conformance suites."""

from __future__ import annotations

from typing import Any, ClassVar

from tiered_cache.policies import (
    FIFO,
    LFU,
    LRU,
    TTL,
    Always,
    Never,
    PromotionPolicy,
    Sieve,
    WriteAround,
    WritePolicy,
    WriteThrough,
)
from tiered_cache.testing import (
    CachetoolsContract,
    LockFreeReadsContract,
    PromotionContract,
    WritingContract,
)


class TestLRU(CachetoolsContract):
    policy_class = LRU


class TestLFU(CachetoolsContract):
    policy_class = LFU


class TestFIFO(CachetoolsContract):
    policy_class = FIFO


class TestTTL(CachetoolsContract):
    policy_class = TTL
    options: ClassVar[dict[str, Any]] = {"ttl": 3600.0}


class TestSieve(CachetoolsContract):
    policy_class = Sieve


class TestSieveWithoutTheLock(LockFreeReadsContract):
    def make_policy(self, maxsize: float, getsizeof: Any = None) -> Sieve[str, Any]:
        return Sieve(maxsize, getsizeof)


class TestAlways(PromotionContract):
    def make_policy(self) -> PromotionPolicy:
        return Always()


class TestNever(PromotionContract):
    def make_policy(self) -> PromotionPolicy:
        return Never()


class TestWriteThrough(WritingContract):
    def make_policy(self) -> WritePolicy:
        return WriteThrough()


class TestWriteAround(WritingContract):
    def make_policy(self) -> WritePolicy:
        return WriteAround()
