"""The decisions of admission policies, and their effect in a cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tiered_cache import DiskTier, MemoryTier, TieredCache
from tiered_cache.errors import ConfigurationError
from tiered_cache.policies import (
    AllOf,
    BreakEven,
    Candidate,
    Combining,
    MaxBytes,
    MinCost,
    SecondHit,
    TierFacts,
    WriteBack,
)
from tiered_cache.results import WriteOutcome

if TYPE_CHECKING:
    from pathlib import Path

    from tiered_cache.contracts import Tier

MEMORY = TierFacts("memory", 0, durable=False, shared=False)
DISK = TierFacts("disk", 1, durable=True, shared=False)


def candidate(
    key: str = "key",
    size_bytes: int = 100,
    cost_s: float = 1.0,
    computed: bool = True,
    read_s: float = 0.001,
) -> Candidate:
    return Candidate(key, size_bytes, cost_s, 60.0, computed, read_s)


@pytest.mark.proves("admission/min-cost", "admission/max-bytes", "admission/break-even")
@pytest.mark.parametrize(
    ("policy", "admitted", "refused"),
    [
        (MinCost("50ms"), candidate(cost_s=0.05), candidate(cost_s=0.049)),
        (MinCost("50ms"), candidate(cost_s=0.0), candidate(cost_s=1e-9)),
        (MaxBytes("1KB"), candidate(size_bytes=1000), candidate(size_bytes=1001)),
        (MaxBytes(5), candidate(size_bytes=0), candidate(size_bytes=6)),
        (BreakEven(), candidate(cost_s=0.001), candidate(cost_s=0.0009)),
        (BreakEven(2.0), candidate(cost_s=0.002), candidate(cost_s=0.0019)),
        (BreakEven(), candidate(cost_s=0.0), candidate(cost_s=1e-6)),
        (BreakEven(), candidate(cost_s=1e-9, read_s=0.0), candidate(cost_s=1e-9)),
        (MinCost(1) & MaxBytes(9), candidate(size_bytes=9), candidate(size_bytes=10)),
        (MinCost(2) | MaxBytes(9), candidate(size_bytes=9), candidate(size_bytes=10)),
        (~MaxBytes(9), candidate(size_bytes=10), candidate(size_bytes=9)),
    ],
)
def test_admitted_and_refused_candidates(
    policy: Any, admitted: Candidate, refused: Candidate
) -> None:
    assert policy.admit(admitted, DISK)
    assert not policy.admit(refused, DISK)


@pytest.mark.proves("admission/second-hit")
def test_second_hit_admits_the_second_time_per_tier() -> None:
    policy = SecondHit()
    assert [policy.admit(candidate(), DISK) for _ in range(3)] == [False, True, True]
    assert not policy.admit(candidate(), MEMORY), "each tier by itself"
    assert policy.admit(candidate("set", computed=False), DISK)


@pytest.mark.proves("admission/second-hit")
def test_law_10_second_hit_forgets_old_keys() -> None:
    policy = SecondHit(max_keys=100)
    for number in range(1000):
        policy.admit(candidate(str(number)), DISK)
        assert len(policy._seen[DISK.level]) <= 100
    assert policy.admit(candidate("999"), DISK)
    assert not policy.admit(candidate("0"), DISK)


@pytest.mark.proves("admission/combined")
def test_every_rule_of_a_combination_is_asked() -> None:
    seen = SecondHit()
    policy = MaxBytes(1) & seen
    assert not policy.admit(candidate(), DISK)
    assert seen.admit(candidate(), DISK), "it has been seen, though the first rule said no"
    assert isinstance(policy, AllOf)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: MinCost("dear"), "least='dear'"),
        (lambda: MaxBytes(-1), "most=-1"),
        (lambda: SecondHit(1), "max_keys=1"),
        (lambda: BreakEven(0.0), "factor=0.0"),
    ],
)
def test_bad_options_name_themselves(make: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        make()


@pytest.mark.proves("filling/not-admitted")
def test_a_refused_entry_is_left_out_of_that_tier_only(tmp_path: Path) -> None:
    with TieredCache(
        [MemoryTier(), DiskTier(tmp_path)], admission={"disk": MinCost("1h")}
    ) as cache:
        assert cache.get_or_compute("cheap", lambda: 1) == 1
        memory, disk = cache.stats().tiers
        assert (memory.writes, disk.writes, disk.not_admitted) == (1, 0, 1)
        assert cache.get_or_compute_many(["a", "b"], lambda keys: dict.fromkeys(keys, 2)) == {
            "a": 2,
            "b": 2,
        }
        assert cache.stats().tiers[1].not_admitted == 3
        assert cache.set("set", 3), "its cost was not measured"
        assert cache.stats().tiers[1].writes == 1


@pytest.mark.proves("writing/skipped-by-admission")
def test_a_changed_value_that_is_not_admitted_takes_the_older_one_away(tmp_path: Path) -> None:
    tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path)]
    with TieredCache(tiers, admission={"disk": MaxBytes(1000)}) as cache:
        cache.set("key", "small")
        result = cache.set("key", "x" * 2000)
        assert [each.outcome for each in result.tiers] == [
            WriteOutcome.WRITTEN,
            WriteOutcome.SKIPPED,
        ]
        results = cache.set_many({"key": "y" * 2000, "small": 1})
        assert [each.outcome for each in results["small"].tiers] == [WriteOutcome.WRITTEN] * 2
        assert not cache.explain("key")[1].present


@pytest.mark.proves("promotion/not-admitted")
def test_a_promotion_needs_admission(tmp_path: Path) -> None:
    with TieredCache([DiskTier(tmp_path)]) as below:
        below.set("key", "value")
    with TieredCache(
        [MemoryTier(), DiskTier(tmp_path)], admission={"memory": SecondHit()}
    ) as cache:
        assert cache.lookup("key").tier == "disk"
        assert cache.lookup("key").tier == "disk"
        assert cache.lookup("key").tier == "memory"
        assert cache.stats().tiers[0].not_admitted == 1


@pytest.mark.proves("admission/break-even")
def test_break_even_learns_how_long_a_tier_takes(tmp_path: Path) -> None:
    with TieredCache([MemoryTier(), DiskTier(tmp_path)], admission=BreakEven(1e6)) as cache:
        cache.get_or_compute("first", lambda: 1)
        assert cache.stats().tiers[1].writes == 0, "the miss before it was timed"
        level = cache._source.core().stack.levels[1]
        assert 0 < level.read_s < 10


def test_queued_writes_were_admitted(tmp_path: Path) -> None:
    tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path)]
    with TieredCache(tiers, writing=WriteBack(), admission={"disk": MaxBytes(1000)}) as cache:
        result = cache.set("key", "x" * 2000)
        assert result.tiers[1].outcome is WriteOutcome.SKIPPED
        assert cache.set("small", 1).tiers[1].outcome is WriteOutcome.QUEUED


def test_law_1_an_admission_policy_that_raises_admits() -> None:
    class Broken(Combining):
        def admit(self, candidate: Candidate, into: TierFacts) -> bool:
            raise RuntimeError

    with TieredCache([MemoryTier()], admission=Broken()) as cache:
        assert cache.set("key", 1)
        assert cache.get("key") == 1


def test_admission_for_a_tier_that_there_is_not_is_a_mistake() -> None:
    with pytest.raises(ConfigurationError, match=r"'disc' is not a tier .* memory"):
        TieredCache([MemoryTier()], admission={"disc": MaxBytes(5)})
