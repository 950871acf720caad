"""Our policies pass the public conformance suites."""

from __future__ import annotations

from typing import Any, ClassVar

from tiered_cache.policies import (
    ARC,
    FIFO,
    GDSF,
    LFU,
    LRU,
    S3FIFO,
    TTL,
    Adaptive,
    AdmissionPolicy,
    Always,
    BreakEven,
    ByBytes,
    MaxBytes,
    MinCost,
    Never,
    OnHit,
    Probabilistic,
    PromotionPolicy,
    SecondHit,
    Sieve,
    TinyLFU,
    WriteAround,
    WriteBack,
    WritePolicy,
    WriteThrough,
)
from tiered_cache.testing import (
    AdmissionContract,
    CachetoolsContract,
    LockFreeReadsContract,
    PromotionContract,
    WritingContract,
)
from tiered_cache_policies.policy_registry import find_policy, policy_names


def cost_of(value: Any) -> float:
    """A cost that differs between values, with 0 among them."""
    return len(str(value)) % 3


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


class TestMinCost(AdmissionContract):
    def make_policy(self) -> AdmissionPolicy:
        return MinCost("50ms")


class TestMaxBytes(AdmissionContract):
    def make_policy(self) -> AdmissionPolicy:
        return MaxBytes("8MB")


class TestSecondHit(AdmissionContract):
    def make_policy(self) -> AdmissionPolicy:
        return SecondHit()


class TestBreakEven(AdmissionContract):
    def make_policy(self) -> AdmissionPolicy:
        return BreakEven()


class TestCombined(AdmissionContract):
    def make_policy(self) -> AdmissionPolicy:
        return ~(MinCost("1s") | SecondHit()) & MaxBytes("1MB")


class TestOnHit(PromotionContract):
    def make_policy(self) -> PromotionPolicy:
        return OnHit(2)


class TestByBytes(PromotionContract):
    def make_policy(self) -> PromotionPolicy:
        return ByBytes()


class TestProbabilistic(PromotionContract):
    def make_policy(self) -> PromotionPolicy:
        return Probabilistic()


class TestWriteBack(WritingContract):
    def make_policy(self) -> WritePolicy:
        return WriteBack("disk")


class TestS3FIFO(CachetoolsContract):
    policy_class = S3FIFO


class TestS3FIFOWithoutTheLock(LockFreeReadsContract):
    def make_policy(self, maxsize: float, getsizeof: Any = None) -> S3FIFO[str, Any]:
        return S3FIFO(maxsize, getsizeof)


class TestGDSF(CachetoolsContract):
    policy_class = GDSF


class TestGDSFByCost(CachetoolsContract):
    policy_class = GDSF
    options: ClassVar[dict[str, Any]] = {"getcost": cost_of}


class TestGDSFWithoutTheLock(LockFreeReadsContract):
    def make_policy(self, maxsize: float, getsizeof: Any = None) -> GDSF[str, Any]:
        return GDSF(maxsize, getsizeof)


class TestARC(CachetoolsContract):
    policy_class = ARC


class TestTinyLFU(CachetoolsContract):
    policy_class = TinyLFU


class TestTinyLFUWithoutTheLock(LockFreeReadsContract):
    def make_policy(self, maxsize: float, getsizeof: Any = None) -> TinyLFU[str, Any]:
        return TinyLFU(maxsize, getsizeof)


class TestAdaptive(CachetoolsContract):
    policy_class = Adaptive


def test_every_eviction_policy_of_ours_goes_through_the_suite() -> None:
    suites = [each for each in CachetoolsContract.__subclasses__() if each.__module__ == __name__]
    tried = {each.policy_class for each in suites}
    assert tried == {find_policy("eviction", name) for name in policy_names("eviction")}


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
