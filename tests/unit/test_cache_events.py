"""Events and log lines."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from tiered_cache import (
    ConfigurationError,
    DiskTier,
    Event,
    EventKind,
    MemoryTier,
    RedisTier,
    TieredCache,
)
from tiered_cache.policies import WriteAround, WriteBack
from tiered_cache.testing import FakeClock

if TYPE_CHECKING:
    from pathlib import Path

    from tiered_cache.contracts import Tier
    from tiered_cache.results import WriteResult


def kinds(events: list[Event]) -> list[tuple[str, str, str]]:
    return [(each.kind.value, each.tier, each.key) for each in events]


def test_listeners_get_events_in_order(tmp_path: Path, namespace: str) -> None:
    with TieredCache([MemoryTier(), DiskTier(tmp_path)], namespace=namespace) as cache:
        events: list[Event] = []
        remove = cache.on_event(events.append)
        cache.get_or_compute("key", lambda: "v")
        assert kinds(events) == [
            ("miss", "memory", "key"),
            ("miss", "disk", "key"),
            ("compute", "", "key"),
            ("write", "disk", "key"),
            ("write", "memory", "key"),
        ]
        assert events[3].bytes > 100
        assert all(each.seconds >= 0 for each in events)
        events.clear()
        cache.get("key")
        cache.delete("key")
        assert kinds(events) == [
            ("hit", "memory", "key"),
            ("delete", "disk", "key"),
            ("delete", "memory", "key"),
        ]
        remove()
        cache.set("key", 1)
        cache.get("key")
        assert len(events) == 3


@pytest.mark.proves("law-7/reported")
def test_every_write_reports_its_outcome_in_each_tier(tmp_path: Path, namespace: str) -> None:
    tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path), RedisTier("redis://127.0.0.1:1")]
    with TieredCache(
        tiers, namespace=namespace, writing=WriteBack(flush_interval="1h", max_delay="2h")
    ) as cache:
        events: list[Event] = []
        cache.on_event(events.append)

        def told(result: WriteResult) -> list[tuple[str, str]]:
            writes = {each.tier: each for each in events if each.kind is EventKind.WRITE}
            events.clear()
            reported = [(each.tier, each.outcome.value) for each in result.tiers]
            assert [(tier, writes[tier].detail or "written") for tier, _ in reported] == reported
            return reported

        through = told(cache.set("key", "value", durability="remote"))
        assert through == [("memory", "written"), ("disk", "written"), ("redis", "failed")]
        refused = told(cache.set_many({"key": lambda: 1}, durability="remote")["key"])
        assert refused == [("memory", "written"), ("disk", "refused"), ("redis", "refused")]
    with TieredCache(
        [MemoryTier(), DiskTier(tmp_path)], namespace=namespace, writing=WriteAround()
    ) as cache:
        cache.on_event(events.append)
        assert told(cache.set("key", 1)) == [("memory", "skipped"), ("disk", "written")]


@pytest.mark.proves("counting/evictions")
def test_promotions_evictions_and_expirations_are_events(tmp_path: Path, namespace: str) -> None:
    clock = FakeClock()
    with TieredCache(
        [MemoryTier(max_entries=2), DiskTier(tmp_path)], namespace=namespace, clock=clock
    ) as cache:
        events: list[Event] = []
        cache.on_event(events.append)
        for key in "abc":
            cache.set(key, key, ttl=10)
        assert [each.kind for each in events if each.tier == "memory"].count(
            EventKind.EVICTION
        ) == 1
        cache.get("a")
        assert EventKind.PROMOTION in [each.kind for each in events]
        clock.advance(11)
        cache.set("d", "d")
        details = {each.detail for each in events if each.kind is EventKind.EVICTION}
        assert details == {"size", "expired"}
        memory = cache.stats().tier("memory")
        assert (memory.evictions, memory.expirations) == (2, 2)


@pytest.mark.proves("law-1/listener-raises")
def test_law_1_a_listener_that_raises_is_logged_once_and_changes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def bad(event: Event) -> None:
        raise RuntimeError("in the listener")

    heard: list[Event] = []
    with TieredCache([MemoryTier()]) as cache:
        cache.on_event(bad)
        cache.on_event(heard.append)
        for _ in range(3):
            cache.set("key", 1)
            assert cache.get("key") == 1
    assert len(heard) == 6
    assert len([each for each in caplog.records if "listener" in each.message]) == 1


def test_a_listener_may_use_the_cache() -> None:
    with TieredCache([MemoryTier()]) as cache:

        def count(event: Event) -> None:
            if event.kind is EventKind.WRITE and event.key == "key":
                cache.set("written", cache.get("written", 0) + 1)

        cache.on_event(count)
        cache.set("key", 1)
        cache.set("key", 2)
        assert cache.get("written") == 2


@pytest.mark.proves("law-1/no-secrets-logged")
def test_no_value_and_no_secret_is_logged(
    tmp_path: Path, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    from tiered_cache import RedisTier

    with (
        caplog.at_level(logging.DEBUG),
        TieredCache(
            [
                MemoryTier(),
                DiskTier(tmp_path, max_value_bytes=200),
                RedisTier("redis://user:the-password@127.0.0.1:1/0"),
            ],
            namespace=namespace,
        ) as cache,
    ):
        cache.set("key", "the-value " * 100)
        cache.set("lock", {"the-value": __import__("threading").Lock()})
        cache.get("absent")
        (tmp_path / namespace / "cache.db").write_bytes(b"garbage, the-value")
        with TieredCache([MemoryTier(), DiskTier(tmp_path)], namespace=namespace) as other:
            other.get("key")
    assert caplog.records
    assert "the-value" not in caplog.text
    assert "the-password" not in caplog.text


@pytest.mark.proves("law-1/repeated-faults")
def test_repeated_faults_are_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    from tiered_cache._engine.state.fault_log import FaultLog

    clock = FakeClock()
    log = FaultLog(clock.monotonic)
    for _ in range(100):
        log.report("disk", "get", "it broke")
    assert [each.getMessage() for each in caplog.records] == ["it broke"]
    clock.advance(61)
    log.report("disk", "get", "it broke")
    log.report("disk", "put", "something else broke")
    assert [each.getMessage() for each in caplog.records][1:] == [
        "it broke (99 more like this since the last line)",
        "something else broke",
    ]


def test_hits_stay_inlined_unless_a_listener_asks_for_them() -> None:
    heard: list[Event] = []
    with TieredCache([MemoryTier()]) as cache:
        core = cache._source.core()
        cache.set("key", 1)
        remove = cache.on_event(heard.append, kinds=["breaker", "write"])
        assert [cache.get("key") for _ in range(5)] == [1] * 5
        assert core.hits.now().hits == 5
        cache.set("key", 2)
        assert [event.kind.value for event in heard] == ["write"]
        remove()
        remove = cache.on_event(heard.append, kinds={"hit"})
        assert cache.get("key") == 2
        assert [event.kind.value for event in heard] == ["write", "hit"]
        remove()
        assert cache.get("key") == 2
        assert len(heard) == 2


@pytest.mark.parametrize("kinds", [["breakers"], "hits", [1], 5])
def test_an_unknown_kind_of_event_is_told_with_the_known_ones(kinds: Any) -> None:
    with (
        TieredCache([MemoryTier()]) as cache,
        pytest.raises(ConfigurationError, match=r"kinds=.*must be a list of kinds .*'breaker'"),
    ):
        cache.on_event(print, kinds)
