"""Write-back when something comes in between: late fills, threads, tiers that fail, clears."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.journals import write_row
from tests.patience import patient_redis
from tiered_cache import (
    Coherence,
    DiskTier,
    MemoryTier,
    QueueFullError,
    TieredCache,
    TierUnavailableError,
)
from tiered_cache._engine.state.pending import Pending
from tiered_cache.clock import SYSTEM_CLOCK
from tiered_cache.contracts import Reach
from tiered_cache.entry import Entry
from tiered_cache.journal import DiskJournal
from tiered_cache.policies import WriteBack
from tiered_cache.testing import FakeClock, race
from tiered_cache.testing.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tiered_cache.clock import Clock
    from tiered_cache.contracts import Absent, Found, Put, Tier
    from tiered_cache.testing import ValkeyServer

SLOWLY = WriteBack(flush_interval="1h", max_delay="2h")
"""Writes nothing down until it is told to."""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[TieredCache]:
    """As another process sees it."""
    with TieredCache([DiskTier(tmp_path)]) as made:
        yield made


def late_fill(cache: TieredCache, change: Callable[[], object], *, many: bool = False) -> None:
    """Compute "outdated" for "key", and change something while that is under way."""

    def compute() -> str:
        change()
        return "outdated"

    if many:
        cache.get_or_compute_many(["key"], lambda keys: dict.fromkeys(keys, compute()))
    else:
        assert cache.get_or_compute("key", compute) == "outdated"


@pytest.mark.proves("law-4/queued-fills")
@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("change", ["delete", "set", "elsewhere", "clear"])
def test_law_4_a_late_fill_is_not_served_from_the_queue(
    many: bool, change: str, tmp_path: Path, other: TieredCache
) -> None:
    def set_and_flush() -> None:
        cache.set("key", "new")
        assert cache.flush()

    changes: dict[str, Callable[[], object]] = {
        "delete": lambda: cache.delete("key"),
        "set": set_and_flush,
        "elsewhere": lambda: other.set("key", "new"),
        "clear": lambda: cache.clear(),
    }
    with TieredCache([MemoryTier(1), DiskTier(tmp_path)], writing=SLOWLY) as cache:
        late_fill(cache, changes[change], many=many)
        cache.set("fills the memory", 1)
        expected = "new" if change in ("set", "elsewhere") else None
        assert cache.get("key") == expected
        assert cache.flush()
        assert cache.get("key") == other.get("key") == expected


@pytest.mark.proves("law-7/threads-one-key")
def test_law_7_threads_that_write_one_key_leave_nothing_in_the_journal(tmp_path: Path) -> None:
    writing = WriteBack("disk", flush_interval="1ms", max_delay="2ms")

    def write(number: int) -> None:
        for turn in range(100):
            cache.set(f"key {turn % 7}", [number, turn])

    keys = [f"key {turn}" for turn in range(7)]
    with TieredCache([MemoryTier(), DiskTier(tmp_path)], writing=writing) as cache:
        race(4, write)
        assert cache.flush("30s")
        assert cache.journal() == []
        values = cache.get_many(keys)
    with TieredCache([MemoryTier(), DiskTier(tmp_path)], writing=writing) as heir:
        assert heir.flush("30s")
        assert heir.get_many(keys) == values


def away(cache: TieredCache, name: str) -> Callable[[], None]:
    """Make a tier fail until the returned function is called."""
    level: Any = next(each for each in cache._source.core().stack.levels if each.name == name)
    wire = level.tier._connections
    exchange = wire.exchange

    def fail(*_: object) -> None:
        raise TierUnavailableError("away")

    wire.exchange = fail
    return lambda: setattr(wire, "exchange", exchange)


def journaled(
    tmp_path: Path, url: str, namespace: str, clock: Clock = SYSTEM_CLOCK, **options: Any
) -> TieredCache:
    tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path), patient_redis(url)]
    options.setdefault("flush_interval", "1ms")
    return TieredCache(
        tiers,
        namespace=namespace,
        writing=WriteBack("disk", **options),
        probe_interval="10ms",
        clock=clock,
    )


@pytest.mark.proves("law-7/clock-back")
def test_law_7_a_write_is_journaled_when_the_clock_was_set_back(
    tmp_path: Path, valkey: ValkeyServer, namespace: str
) -> None:
    clock = FakeClock()
    with journaled(
        tmp_path, valkey.url, namespace, clock, flush_interval="1h", max_delay="2h"
    ) as cache:
        cache.set("key", "old value")
        clock.set_wall(clock.wall() - 60)
        cache.set("key", "new")
        assert [each.since_s for each in cache.journal()] == [clock.wall()]


@pytest.mark.proves("law-7/clear-queued")
def test_law_7_a_clear_that_did_not_reach_a_tier_takes_the_place_of_the_deletions_for_it(
    tmp_path: Path, valkey: ValkeyServer, namespace: str
) -> None:
    with journaled(tmp_path, valkey.url, namespace) as cache:
        cache.set("key", "old")
        assert cache.flush()
        away(cache, "redis")
        cache.delete("key")
        cache.clear()
        assert [(each.key, each.clears) for each in cache.journal()] == [("", True)]
        assert cache.close("100ms") == ["*"]
    with journaled(tmp_path, valkey.url, namespace) as heir:
        assert heir.flush()
        assert heir.get("key") is None


@pytest.mark.proves("law-4/parked-writes")
def test_law_4_a_parked_write_does_not_come_back_after_a_clear(
    tmp_path: Path, valkey: ValkeyServer, namespace: str
) -> None:
    with journaled(tmp_path, valkey.url, namespace, flush_interval="1h", max_delay="2h") as cache:
        cache.set("key", "old")
        journal = cache._source.core().stack.journal()
        pending = cache._source.core().stack.queue.held["key"]
        assert pending.row is not None
        journal.park(pending.row, "refused")
        cache._source.core().stack.queue.remove("key")
        cache.clear()
        assert cache.retry_parked() == 0
        assert cache.get("key") is None


@pytest.mark.proves("law-7/queue-full")
def test_law_10_deletions_are_bounded_too(
    tmp_path: Path, valkey: ValkeyServer, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiered_cache._engine.drivers.sync.ROOM_WAIT_S", 0.01)
    with journaled(tmp_path, valkey.url, namespace, max_pending=3) as cache:
        back = away(cache, "redis")
        for number in range(3):
            cache.delete(f"{number}")
        with pytest.raises(QueueFullError):
            cache.delete("one too many")
        back()
        assert cache.flush("30s")


def test_a_flusher_that_cannot_start_its_thread_tries_again(
    tmp_path: Path, other: TieredCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: threading.Thread) -> None:
        msg = "can't start new thread"
        raise RuntimeError(msg)

    with TieredCache([MemoryTier(), DiskTier(tmp_path)], writing=SLOWLY) as cache:
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", fail)
            cache.set("key", "value")
        assert cache.flush()
        assert other.get("key") == "value"


def test_a_write_that_comes_as_the_flusher_ends_is_flushed(tmp_path: Path) -> None:
    class Held(dict[str, Pending]):
        """Lets a write slip in when the flusher finds nothing to do."""

        armed = False

        def __len__(self) -> int:
            size = super().__len__()
            if self.armed and not size and sys._getframe(1).f_code.co_name == "_wait":
                self.armed = False
                threading.Thread(target=write).start()
                assert queued.wait(30)
            return size

    def write() -> None:
        queue.put(Pending("late", entry, 1.0, (1,)))
        queued.set()
        core.flusher.wake()

    queued = threading.Event()

    writing = WriteBack(flush_interval="1ms", max_delay="2ms")
    entry = Entry("value", created_s=1.0)
    with TieredCache([MemoryTier(), DiskTier(tmp_path)], writing=writing) as cache:
        core = cache._source.core()
        queue = core.stack.queue
        held = queue.held = Held()
        core._run.__self__._held = held  # type: ignore[attr-defined] # a bound method
        held.armed = True
        cache.set("key", 1)
        wait_until(lambda: not held.armed and not list(held), "both are flushed")


class Poisoned(DiskTier):
    """A disk with a bug: some keys make it raise."""

    def put(self, key: str, *args: Any, **options: Any) -> bool:
        if key == "poison":
            raise ValueError(key)
        return super().put(key, *args, **options)

    def put_many(self, puts: Mapping[str, Put[Any]]) -> set[str]:
        if "poison" in puts:
            raise ValueError("poison")
        return super().put_many(puts)

    def get_many(self, keys: Sequence[str]) -> dict[str, Found[Any] | Absent]:
        if "unreadable" in keys:
            raise ValueError("unreadable")
        return super().get_many(keys)


@pytest.mark.proves("law-7/key-parked")
@pytest.mark.parametrize("key", ["poison", "unreadable"])
def test_a_key_that_makes_a_tier_raise_is_parked_and_holds_up_no_other(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiered_cache._engine.state.write_queue._FIRST_RETRY_S", 0.001)
    writing = WriteBack(flush_interval="1ms", max_delay="2ms")
    with TieredCache([MemoryTier(), Poisoned(tmp_path)], writing=writing) as cache:
        queue = cache._source.core().stack.queue
        cache.set_many({key: 1, "other": 2})
        wait_until(lambda: queue.parked > 0, "it is parked")
        with TieredCache([DiskTier(tmp_path)]) as disk:
            assert disk.get("other") == 2
        queue.remove(key)


@pytest.mark.proves("law-7/remote-write-fails")
def test_law_7_a_remote_write_that_fails_takes_the_queued_ones_place(
    tmp_path: Path, valkey: ValkeyServer, namespace: str
) -> None:
    with journaled(tmp_path, valkey.url, namespace) as cache:
        cache.set("key", "first")
        assert cache.flush()
        back = away(cache, "redis")
        cache.set("key", "second")
        result = cache.set("key", "third", durability="remote")
        assert "failed" in [each.outcome.value for each in result.tiers]
        assert len(cache.journal()) == 1
        back()
        assert cache.flush("30s")
        assert cache.journal() == []
        with TieredCache([patient_redis(valkey.url)], namespace=namespace) as remote:
            assert remote.get("key") == "third"


@pytest.mark.proves("write-back/takeover-served")
def test_law_4_writes_of_a_dead_process_are_not_served_over_newer_ones(
    tmp_path: Path, valkey: ValkeyServer, namespace: str
) -> None:
    with journaled(tmp_path, valkey.url, namespace, flush_interval="1h", max_delay="2h") as cache:
        core: Any = cache._source.core()
        as_of_s = core.stack.stamp()
        dead = DiskJournal(
            core.stack.levels[1].tier.offers.journal_directory / core.stack.options.namespace
        )
        for key in ("key", "deleted"):
            record = core.stack.encoder.encode(key, Entry("left", created_s=as_of_s), Reach.CLUSTER)
            write_row(dead, key, record, as_of_s, core.stack.record_tiers)
        dead.close()
        cache.set("key", "newer", durability="remote")
        cache.set("deleted", "newer", durability="remote")
        cache.delete("deleted")
        core.flusher.adopt()
        assert cache.get_many(["key", "deleted"]) == {"key": "newer"}
        assert cache.flush("30s")
        assert cache.journal() == []
        assert cache.get_many(["key", "deleted"]) == {"key": "newer"}


@pytest.mark.proves("write-back/takeover-bounded")
def test_law_10_of_many_dead_processes_one_after_the_other_is_taken_over(
    tmp_path: Path, valkey: ValkeyServer, namespace: str
) -> None:
    keys = [f"{number}" for number in range(9)]
    with journaled(tmp_path, valkey.url, namespace, max_pending=3) as cache:
        core: Any = cache._source.core()
        as_of_s = core.stack.stamp()
        for start in range(0, 9, 3):
            dead = DiskJournal(
                core.stack.levels[1].tier.offers.journal_directory / core.stack.options.namespace
            )
            for key in keys[start : start + 3]:
                entry = Entry(key, created_s=as_of_s)
                record = core.stack.encoder.encode(key, entry, Reach.CLUSTER)
                write_row(dead, key, record, as_of_s, core.stack.record_tiers)
            dead.close()
        back = away(cache, "redis")
        core.flusher.adopt()
        core.flusher.adopt()
        assert len(core.stack.queue) == 3
        back()
        wait_until(lambda: cache.journal() == [], "all was taken over and written")
        with TieredCache([patient_redis(valkey.url)], namespace=namespace) as remote:
            assert remote.get_many(keys) == {key: key for key in keys}


@pytest.mark.proves("write-back/flush-gives-way")
def test_a_write_that_gives_way_in_a_shared_tier_is_kept_from_the_tiers_above_it(
    tmp_path: Path, valkey: ValkeyServer, namespace: str
) -> None:
    tiers: list[Tier[Any]] = [MemoryTier(1), DiskTier(tmp_path), patient_redis(valkey.url)]
    with (
        TieredCache([patient_redis(valkey.url)], namespace=namespace) as other,
        TieredCache(
            tiers, namespace=namespace, writing=SLOWLY, coherence=Coherence(bound="1h")
        ) as cache,
    ):
        assert cache.get("key") is None
        cache._source.core()._follower.close()  # it hears of nothing within its bound
        cache.set("key", "older")
        other.set("key", "newer")
        cache.set("fills the memory", 1)
        assert cache.flush("30s")
        assert cache.get("key") == "newer"
