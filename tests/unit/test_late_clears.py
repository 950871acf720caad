"""Clears that a tier missed, and writes that waited for longer than deletions are remembered."""

from __future__ import annotations

import os
import random
import signal
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import redis

from tests.patience import patient_redis
from tiered_cache import (
    Coherence,
    DiskTier,
    MemoryTier,
    RedisTier,
    TieredCache,
    TierUnavailableError,
)
from tiered_cache._engine.plans import clear as clearing
from tiered_cache.entry import TOMBSTONE_LIFETIME_S
from tiered_cache.journal._journal_file import open_journal
from tiered_cache.journal._journal_rows import read_rows
from tiered_cache.policies import WriteBack
from tiered_cache.testing import FakeClock, race
from tiered_cache.testing.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tiered_cache.contracts import Tier
    from tiered_cache.testing import ValkeyServer

LONG_S = TOMBSTONE_LIFETIME_S + 60


@pytest.fixture
def other(valkey: ValkeyServer, namespace: str) -> Iterator[TieredCache]:
    """As another host sees it."""
    with TieredCache([patient_redis(valkey.url)], namespace=namespace) as made:
        yield made


def open_cache(
    tmp_path: Path, url: str, namespace: str, durability: str = "disk", **options: Any
) -> TieredCache:
    tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path), patient_redis(url)]
    writing = WriteBack(durability, flush_interval="1ms")
    return TieredCache(
        tiers, namespace=namespace, writing=writing, probe_interval="10ms", **options
    )


def away(cache: TieredCache) -> Callable[[], None]:
    """Make the Redis tier fail until the returned function is called."""
    tier: Any = cache._source.core().stack.levels[-1].tier
    exchange = tier._connections.exchange

    def fail(*_: object) -> None:
        raise TierUnavailableError("away")

    tier._connections.exchange = fail
    return lambda: setattr(tier._connections, "exchange", exchange)


@pytest.mark.proves("write-back/queued-clear")
@pytest.mark.parametrize("durability", ["memory", "disk"])
def test_law_4_a_clear_that_a_tier_missed_is_made_up_for(
    durability: str, tmp_path: Path, valkey: ValkeyServer, namespace: str, other: TieredCache
) -> None:
    other.set_many({"old": 1, "replaced": 1})
    other.namespace("view").set("old", 1)
    with open_cache(tmp_path, valkey.url, namespace, durability) as cache:
        back = away(cache)
        cache.clear()
        assert not cache.flush("10ms")
        other.set_many({"replaced": 2, "new": 2})
        cache.set("own", 3)
        back()
        assert cache.flush("30s")
        assert cache.journal() == []
        assert sorted(other.keys()) == ["new", "own", "replaced"]
        assert other.get("replaced") == 2, "an entry newer than the clear stays"
        assert other.namespace("view").get("old") is None
        assert cache.get("old") is None


@pytest.mark.proves("write-back/queued-clear")
def test_law_4_a_late_clear_of_a_view_touches_no_other_entries(
    tmp_path: Path, valkey: ValkeyServer, namespace: str, other: TieredCache
) -> None:
    other.set("key", 1)
    other.namespace("view").set("key", 1)
    with open_cache(tmp_path, valkey.url, namespace) as cache:
        back = away(cache)
        cache.namespace("view").clear()
        back()
        assert cache.flush("30s")
    assert other.get("key") == 1
    assert other.namespace("view").get("key") is None


@pytest.mark.proves("law-7/clear-queued")
def test_law_7_a_clear_that_was_acknowledged_outlives_the_process(
    tmp_path: Path, valkey: ValkeyServer, namespace: str, other: TieredCache
) -> None:
    other.set("old", 1)
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        try:
            cache = open_cache(tmp_path, valkey.url, namespace)
            away(cache)
            cache.clear()
            os.write(writing, b"x")
            signal.pause()
        finally:
            os._exit(1)
    os.close(writing)
    acknowledged = os.read(reading, 1)
    os.close(reading)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert acknowledged, "the child failed by itself"
    other.set("new", 2)
    with open_cache(tmp_path, valkey.url, namespace) as heir:
        assert heir.get("old") is None, "nor is it served before the heir could clear"
        assert heir.flush("30s")
        assert heir.journal() == []
        assert list(other.keys()) == ["new"]


@pytest.mark.proves("write-back/queued-clear")
def test_law_4_a_late_clear_refuses_fills_that_began_before_it(
    tmp_path: Path, valkey: ValkeyServer, namespace: str, other: TieredCache
) -> None:
    with open_cache(tmp_path, valkey.url, namespace) as cache:
        back = away(cache)

        def compute() -> str:
            cache.clear()
            back()
            assert cache.flush("30s")
            return "outdated"

        assert other.get_or_compute("key", compute) == "outdated"
        assert other.get("key") is None


@pytest.mark.proves("write-back/queued-clear")
def test_law_5_others_hear_of_a_late_clear(
    tmp_path: Path, valkey: ValkeyServer, namespace: str
) -> None:
    tiers: list[Tier[Any]] = [MemoryTier(), patient_redis(valkey.url)]
    with (
        open_cache(tmp_path, valkey.url, namespace) as cache,
        TieredCache(tiers, namespace=namespace, coherence=Coherence(bound="1s")) as neighbour,
        redis.Redis.from_url(valkey.url) as raw,
    ):
        neighbour.set("key", 1)
        raw.delete(f"tiered-cache:{{{namespace}}}:key")  # evicted there: only the neighbour has it
        assert neighbour.get("key") == 1
        back = away(cache)
        cache.clear()
        back()
        assert cache.flush("30s")
        wait_until(lambda: neighbour.get("key") is None, "the neighbour has heard of the clear")


@pytest.mark.proves("law-7/clear-queued")
def test_an_unfinished_clear_is_reported_and_listed(
    tmp_path: Path, valkey: ValkeyServer, namespace: str
) -> None:
    cache = open_cache(tmp_path, valkey.url, namespace)
    away(cache)
    cache.invalidate_prefix("a/")
    assert [(each.key, each.clears, each.deletes) for each in cache.journal()] == [
        ("a/", True, True)
    ]
    assert cache.close("10ms") == ["a/*"]


def test_law_10_clears_are_bounded(
    tmp_path: Path,
    valkey: ValkeyServer,
    namespace: str,
    other: TieredCache,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clearing, "_MAX_CLEARS", 3)
    other.set_many({"0/key": 1, "4/key": 1, "another": 1})
    with open_cache(tmp_path, valkey.url, namespace) as cache:
        back = away(cache)
        for number in range(5):
            cache.invalidate_prefix(f"{number}/")
        assert sorted(cache._source.core().stack.queue.clears) == ["", "4/"]
        assert sorted(each.key for each in cache.journal()) == ["", "4/"]
        other.set("4/new", 2)
        back()
        assert cache.flush("30s")
        assert cache.journal() == []
        assert list(other.keys()) == ["4/new"]


def test_law_7_a_clear_that_takes_the_place_of_others_is_journaled_for_their_tiers_too(
    tmp_path: Path, valkey: ValkeyServer, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clearing, "_MAX_CLEARS", 1)
    with open_cache(tmp_path, valkey.url, namespace) as cache:
        level = cache._source.core().stack.levels[1]
        assert level.name == "disk"
        with monkeypatch.context() as failing:
            failing.setattr(level.tier, "clear", unavailable)
            failing.setattr(level, "fence", unavailable)
            back = away(cache)
            cache.invalidate_prefix("a/")
            with pytest.MonkeyPatch.context() as well:
                well.setattr(level.tier, "clear", lambda _: 0)
                cache.invalidate_prefix("b/")
            (path,) = (tmp_path / ".journal" / namespace).glob("*.journal")
            with open_journal(path, 5.0) as file:
                (row,) = read_rows(file)
            assert (row.key, sorted(row.tiers)) == ("", ["disk", "redis"])
            assert cache.stats().queue_depth == 1
        back()
        assert cache.flush("30s")
        assert cache.journal() == []


@pytest.mark.proves("law-7/unsteady-tier")
@pytest.mark.parametrize("durability", ["memory", "disk"])
def test_law_4_and_7_over_a_tier_that_comes_and_goes_the_last_change_of_each_key_wins(
    durability: str, tmp_path: Path, valkey: ValkeyServer, namespace: str, other: TieredCache
) -> None:
    turns = 60
    last: list[dict[str, int | None]] = [{} for _ in range(3)]

    def change(number: int) -> None:
        """Change keys of one's own, and have Redis fail half of the time."""
        rng = random.Random(number)
        mine = [f"{number}/{name}" for name in "abcdef"]
        state = last[number]
        for turn in range(turns):
            keys = rng.sample(mine, 3)
            how = rng.choice(["set", "set_many", "delete", "delete_many", "clear", "flap"])
            if how == "flap":
                tier._connections.exchange = rng.choice([exchange, unavailable])
            elif how == "set":
                cache.set(keys[0], turn)
                state[keys[0]] = turn
            elif how == "set_many":
                cache.set_many(dict.fromkeys(keys, turn))
                state |= dict.fromkeys(keys, turn)
            elif how == "delete":
                cache.delete(keys[0])
                state[keys[0]] = None
            elif how == "delete_many":
                cache.delete_many(keys)
                state |= dict.fromkeys(keys)
            else:
                cache.invalidate_prefix(f"{number}/")
                state |= dict.fromkeys(mine)

    with open_cache(tmp_path, valkey.url, namespace, durability) as cache:
        tier: Any = cache._source.core().stack.levels[-1].tier
        exchange = tier._connections.exchange
        race(3, change)
        tier._connections.exchange = exchange
        assert cache.flush("60s")
        assert cache.journal() == []
        for state in last:
            expected = {key: value for key, value in state.items() if value is not None}
            assert cache.get_many(state) == expected
            assert other.get_many(state) == expected


def unavailable(*_: object) -> int:
    raise TierUnavailableError("away")


class Unfenced(RedisTier):
    """A tier that can't spare newer entries, as a third-party tier may be."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.offers = replace(self.offers, fence=None)


@pytest.mark.proves("write-back/queued-clear")
def test_a_tier_without_a_fence_is_cleared_as_a_whole(
    valkey: ValkeyServer, namespace: str, other: TieredCache
) -> None:
    other.set("old", 1)
    tier = Unfenced(valkey.url)
    writing = WriteBack(flush_interval="1ms")
    with TieredCache(
        [MemoryTier(), tier], namespace=namespace, writing=writing, probe_interval="10ms"
    ) as cache:
        back = away(cache)
        cache.clear()
        back()
        assert cache.flush("30s")
    assert list(other.keys()) == []
    assert RedisTier().offers.fence is not None


def waited_long(
    tmp_path: Path, valkey: ValkeyServer, namespace: str, durability: str, clock: FakeClock
) -> TieredCache:
    """A cache with a queued write of "key", older than any tombstone."""
    tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path), patient_redis(valkey.url)]
    slowly = WriteBack(durability, flush_interval="10h", max_delay="10h")
    cache = TieredCache(tiers, namespace=namespace, writing=slowly, clock=clock)
    cache.set("key", "waited")
    clock.advance(LONG_S)
    return cache


@pytest.mark.proves("write-back/outlived-tombstones")
@pytest.mark.parametrize("durability", ["memory", "disk"])
def test_law_4_a_write_that_waited_too_long_is_not_written_where_the_key_may_have_been_deleted(
    durability: str,
    tmp_path: Path,
    valkey: ValkeyServer,
    namespace: str,
    other: TieredCache,
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = FakeClock()
    with waited_long(tmp_path, valkey, namespace, durability, clock) as cache:
        assert cache.flush("30s")
        assert cache._source.core().stack.queue.parked >= 1
        assert other.get("key") is None
        assert "deletions are remembered" in caplog.text
        if durability == "disk":
            (parked,) = cache.journal()
            assert (parked.key, parked.deletes) == ("key", False)
            assert "deletions are remembered" in parked.trouble
            assert cache.retry_parked() == 1
            assert cache.flush("30s")
            assert cache.journal() == []
            with TieredCache(
                [patient_redis(valkey.url)], namespace=namespace, clock=clock
            ) as later:
                assert later.get("key") == "waited", "a caller that retries it knows better"


@pytest.mark.proves("write-back/outlived-tombstones")
def test_a_write_that_waited_long_is_written_where_something_older_is_there(
    tmp_path: Path, valkey: ValkeyServer, namespace: str
) -> None:
    clock = FakeClock()
    with TieredCache([patient_redis(valkey.url)], namespace=namespace, clock=clock) as other:
        other.set("key", "older")
        clock.advance(1)
        with waited_long(tmp_path, valkey, namespace, "disk", clock) as cache:
            assert cache.flush("30s")
            assert cache.journal() == []
        assert other.get("key") == "waited"


@pytest.mark.proves("write-back/outlived-tombstones")
def test_law_4_a_fill_that_waited_too_long_is_left_out(
    tmp_path: Path, valkey: ValkeyServer, namespace: str, other: TieredCache
) -> None:
    clock = FakeClock()
    tiers: list[Tier[Any]] = [MemoryTier(), patient_redis(valkey.url)]
    slowly = WriteBack(flush_interval="10h", max_delay="10h")
    with TieredCache(tiers, namespace=namespace, writing=slowly, clock=clock) as cache:
        cache.get_or_compute("key", lambda: "computed")
        clock.advance(LONG_S)
        assert cache.flush("30s")
        assert list(other.keys()) == []
        assert cache._source.core().stack.queue.parked == 0


@pytest.mark.proves("write-back/outlived-tombstones")
def test_law_4_a_long_wait_is_known_by_either_clock(
    tmp_path: Path, valkey: ValkeyServer, namespace: str, other: TieredCache
) -> None:
    clock = FakeClock()
    with waited_long(tmp_path, valkey, namespace, "memory", clock) as cache:
        clock.set_wall(clock.wall() - LONG_S)  # set back: it seems to be new
        assert cache.flush("30s")
        assert list(other.keys()) == []
