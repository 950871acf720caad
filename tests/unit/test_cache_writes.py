"""Writes through a stack: their results, and the values read afterwards."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.patience import patient_redis
from tiered_cache import (
    DiskTier,
    LookupStatus,
    MemoryTier,
    TieredCache,
    WriteOutcome,
)
from tiered_cache.policies import WriteAround, WritePlan

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tiered_cache import WriteResult
    from tiered_cache.policies import TierFacts, WriteRequest


class Unregistered:
    """A type that is neither plain data nor registered: it is pickled, where that is allowed."""

    def __init__(self, number: int) -> None:
        self.number = number


def outcomes(result: WriteResult) -> dict[str, WriteOutcome]:
    return {each.tier: each.outcome for each in result.tiers}


@pytest.mark.proves("law-7/reported", "writing/written")
def test_a_write_reports_each_tier(tmp_path: Path, redis_url: str, namespace: str) -> None:
    with TieredCache(
        [MemoryTier(), DiskTier(tmp_path), patient_redis(redis_url)], namespace=namespace
    ) as cache:
        result = cache.set("key", 1)
        assert result
        assert result.stored
        assert outcomes(result) == dict.fromkeys(["memory", "disk", "redis"], WriteOutcome.WRITTEN)
        many = cache.set_many({"a": 1, "b": threading.Lock()})
        assert outcomes(many["a"]) == outcomes(result)
        assert outcomes(many["b"])["disk"] is WriteOutcome.REFUSED


@pytest.mark.proves("law-1/write-plan-nonsense")
@pytest.mark.parametrize(
    "plan",
    [
        WritePlan((7,)),
        WritePlan((-1,)),
        WritePlan((0, 0)),
        WritePlan((0,), later=(1,)),
        WritePlan([0, 1]),  # type: ignore[arg-type] # wrong on purpose
        "nonsense",
    ],
)
def test_law_1_after_an_invalid_write_plan_every_tier_is_written(
    plan: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Odd:
        def plan(self, request: WriteRequest, tiers: Sequence[TierFacts]) -> WritePlan:
            return plan  # type: ignore[no-any-return] # any plan

    with TieredCache([MemoryTier(), DiskTier(tmp_path)], writing=Odd()) as cache:
        written = dict.fromkeys(["memory", "disk"], WriteOutcome.WRITTEN)
        assert outcomes(cache.set("key", 1)) == written
        assert outcomes(cache.set_many({"other": 1})["other"]) == written
        assert cache.get_or_compute("computed", lambda: 2) == 2
        assert cache.delete("key")
        assert cache.clear() == 2
    assert "A policy failed, and its default applies: " in caplog.text
    assert f"applies: {Odd.__qualname__}: " in caplog.text


@pytest.mark.proves("writing/refused")
def test_a_value_larger_than_a_tier_takes_is_refused_there_only(
    tmp_path: Path, namespace: str
) -> None:
    with TieredCache(
        [MemoryTier(), DiskTier(tmp_path, max_value_bytes="10KB")], namespace=namespace
    ) as cache:
        cache.set("key", "small")
        result = cache.set("key", "x" * 20_000)
        assert outcomes(result) == {
            "memory": WriteOutcome.WRITTEN,
            "disk": WriteOutcome.REFUSED,
        }
        assert "max_value_bytes" in result.tiers[1].reason
        assert cache.get("key") == "x" * 20_000
        disk = cache.explain("key")[1]
        assert not disk.present, "the older value must not be served once memory evicts it"


def test_a_value_larger_than_memory_is_refused_there_only(tmp_path: Path, namespace: str) -> None:
    with TieredCache(
        [MemoryTier(max_bytes="10KB"), DiskTier(tmp_path)], namespace=namespace
    ) as cache:
        cache.set("key", "small")
        assert outcomes(cache.set("key", "x" * 20_000)) == {
            "memory": WriteOutcome.REFUSED,
            "disk": WriteOutcome.WRITTEN,
        }
        assert cache.lookup("key")[:3] == (LookupStatus.HIT, "x" * 20_000, "disk")


@pytest.mark.proves("law-1/value-not-writable", "filling/refused", "writing/refused")
def test_an_unpicklable_value_stays_in_memory_and_says_so(
    tmp_path: Path, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.WARNING, "tiered_cache"),
        TieredCache([MemoryTier(), DiskTier(tmp_path)], namespace=namespace) as cache,
    ):
        cache.set("key", "older")
        lock = threading.Lock()
        assert cache.get_or_compute("computed", lambda: lock) is lock
        assert cache.get_or_compute("computed", lambda: None) is lock
        result = cache.set("key", lock)
        assert outcomes(result)["disk"] is WriteOutcome.REFUSED
        assert "lock" in result.tiers[1].reason
        assert cache.get("key") is lock
        assert not cache.explain("key")[1].present
    assert len([each for each in caplog.records if "does not take" in each.message]) == 1


@pytest.mark.proves("law-9/no-shared-pickle")
def test_law_9_a_pickled_value_is_kept_on_disk_and_refused_by_a_shared_tier(
    tmp_path: Path, redis_url: str, namespace: str
) -> None:
    with TieredCache(
        [MemoryTier(), DiskTier(tmp_path), patient_redis(redis_url)], namespace=namespace
    ) as cache:
        result = cache.set("key", Unregistered(7))
        assert outcomes(result) == {
            "memory": WriteOutcome.WRITTEN,
            "disk": WriteOutcome.WRITTEN,
            "redis": WriteOutcome.REFUSED,
        }
        assert "signing_key" in result.tiers[2].reason
    with TieredCache([DiskTier(tmp_path)], namespace=namespace) as reader:
        assert reader.get("key").number == 7


@pytest.mark.proves("writing/skipped-by-policy")
def test_write_around_leaves_no_older_value_above(tmp_path: Path, namespace: str) -> None:
    with TieredCache(
        [MemoryTier(), DiskTier(tmp_path)], namespace=namespace, writing=WriteAround()
    ) as cache:
        cache.set("key", "first")
        assert cache.get("key") == "first"  # promoted
        result = cache.set("key", "second")
        assert outcomes(result) == {"memory": WriteOutcome.SKIPPED, "disk": WriteOutcome.WRITTEN}
        assert cache.lookup("key")[:3] == (LookupStatus.HIT, "second", "disk")


@pytest.mark.proves("removing/delete", "removing/delete-many")
def test_delete_reports_whether_any_tier_held_the_key(tmp_path: Path, namespace: str) -> None:
    with TieredCache([MemoryTier(), DiskTier(tmp_path)], namespace=namespace) as cache:
        cache.set_many({"a": 1, "b": 2})
        assert cache.delete("a")
        assert not cache.delete("a")
        assert cache.delete_many(["a", "b", "c"]) == 1
        assert cache.delete_many([]) == 0
        assert cache.stats().size == 0


@pytest.mark.proves("law-4/own-changes", "filling/cleared")
@pytest.mark.parametrize("change", ["delete", "set", "clear"])
def test_law_4_a_computation_that_began_before_a_change_does_not_bring_the_old_value_back(
    change: str, tmp_path: Path, redis_url: str, namespace: str
) -> None:
    with TieredCache(
        [MemoryTier(), DiskTier(tmp_path), patient_redis(redis_url)], namespace=namespace
    ) as cache:

        def compute() -> str:
            if change == "delete":
                cache.delete("key")
            elif change == "set":
                cache.set("key", "newer")
            else:
                cache.clear()
            return "older"

        assert cache.get_or_compute("key", compute) == "older"
        kept = "newer" if change == "set" else None
        assert cache.get("key") == kept
        assert [each.present for each in cache.explain("key")] == [change == "set"] * 3


@pytest.mark.proves("law-4/shared-tombstones")
def test_law_4_in_another_process_too(tmp_path: Path, redis_url: str, namespace: str) -> None:
    def stack() -> TieredCache:
        return TieredCache(
            [MemoryTier(), DiskTier(tmp_path), patient_redis(redis_url)], namespace=namespace
        )

    with stack() as here, stack() as there:

        def compute() -> str:
            there.delete("key")
            return "older"

        assert here.get_or_compute("key", compute) == "older"
        # The memory of this process is its own until invalidations are carried between processes.
        assert [each.present for each in here.explain("key")][1:] == [False, False]
        assert there.get("key") is None


@pytest.mark.proves("writing/one-key")
def test_writers_of_one_key_leave_all_tiers_alike(tmp_path: Path, namespace: str) -> None:
    from tiered_cache.testing import race

    with TieredCache([MemoryTier(), DiskTier(tmp_path)], namespace=namespace) as cache:
        for _ in range(20):
            race(4, lambda number: cache.set("key", number))
            memory = cache.get("key")
            with TieredCache([DiskTier(tmp_path)], namespace=namespace) as disk:
                assert disk.get("key") == memory
