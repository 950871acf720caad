"""Write-back over real tiers: acknowledgement, visibility and the order of conflicting writes."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import warnings
from typing import TYPE_CHECKING, Any, Literal

import pytest

from tests.patience import patient_redis
from tiered_cache import DiskTier, MemoryTier, RedisTier, TieredCache
from tiered_cache._engine.drivers import sync as driver
from tiered_cache.errors import ConfigurationError, QueueFullError
from tiered_cache.events import EventKind
from tiered_cache.journal import DiskJournal
from tiered_cache.journal._own_file import OwnFile
from tiered_cache.policies import WriteBack
from tiered_cache.results import WriteOutcome
from tiered_cache.testing import FakeClock, ValkeyServer, in_forked_child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tiered_cache.contracts import Tier
    from tiered_cache.events import Event


class Odd:
    """Of no registered type: pickled on disk, and refused where hosts share a tier."""


SLOWLY = WriteBack(flush_interval="1h", max_delay="2h")
"""Writes nothing down until it is told to."""


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[TieredCache]:
    with TieredCache([MemoryTier(1), DiskTier(tmp_path)], writing=SLOWLY) as made:
        yield made


@pytest.fixture
def other(tmp_path: Path) -> Iterator[TieredCache]:
    """As another process sees it."""
    with TieredCache([DiskTier(tmp_path)]) as made:
        yield made


def outcomes(result: Any) -> list[str]:
    return [each.outcome.value for each in result.tiers]


@pytest.mark.proves("writing/queued")
def test_a_write_is_acknowledged_in_memory_and_written_down_later(
    cache: TieredCache, other: TieredCache
) -> None:
    result = cache.set("key", [1, 2], ttl="1h")
    assert outcomes(result) == ["written", "queued"]
    assert result
    assert other.get("key") is None
    assert cache.flush("10s")
    assert other.get("key") == [1, 2]
    assert cache.stats().tiers[1].writes == 1


@pytest.mark.proves("writing/queued")
def test_queued_writes_are_read_even_after_memory_evicted_them(cache: TieredCache) -> None:
    cache.set("first", None)
    cache.set("second", 2)  # memory holds one entry only
    assert cache.lookup("first").found
    assert cache.lookup("first").value is None
    assert cache.get_many(["first", "second"]) == {"first": None, "second": 2}
    assert cache.exists("first")
    assert cache.explain("first")[1].present
    stats = cache.stats()
    assert stats.misses == 0
    for tier in stats.tiers:
        assert tier.lookups == tier.hits + tier.stale_hits + tier.misses + tier.errors + tier.skips


@pytest.mark.proves("write-back/last-wins")
def test_many_writes_of_a_key_become_one(cache: TieredCache, other: TieredCache) -> None:
    for value in range(100):
        cache.set("key", value)
    assert cache.flush("10s")
    assert (cache.stats().tiers[1].writes, other.get("key")) == (1, 99)


@pytest.mark.proves("write-back/delete-and-clear")
def test_law_4_a_deleted_key_is_not_brought_back_by_the_queue(
    cache: TieredCache, other: TieredCache
) -> None:
    other.set("key", "old")
    cache.set("key", "queued")
    assert cache.delete("key")
    assert cache.get("key") is None
    assert cache.flush("10s")
    assert other.get("key") is None


@pytest.mark.proves("write-back/delete-and-clear")
def test_law_4_clear_removes_queued_writes_too(cache: TieredCache, other: TieredCache) -> None:
    view = cache.namespace("view")
    view.set("key", 1)
    cache.set("key", 2)
    view.clear()
    assert cache.flush("10s")
    assert other.get("key") == 2
    assert view.get("key") is None
    cache.set("key", 3)
    cache.clear()
    assert cache.flush("10s")
    assert list(other.keys()) == []


@pytest.mark.proves("write-back/flush-gives-way")
def test_a_queued_write_gives_way_to_a_newer_one_of_another_process(
    cache: TieredCache, other: TieredCache
) -> None:
    cache.set("set", "older")
    cache.set("deleted", "older")
    other.set("set", "newer")
    other.delete("deleted")
    assert cache.flush("10s")
    assert (other.get("set"), other.get("deleted")) == ("newer", None)


@pytest.mark.proves("write-back/flush-gives-way")
def test_a_queued_write_outranks_a_computation_that_began_before_it(
    cache: TieredCache, other: TieredCache
) -> None:
    def compute() -> str:
        cache.set("key", "set while it was computed")
        return "computed from the older data"

    other.get_or_compute("key", compute)
    assert cache.flush("10s")
    assert other.get("key") == "set while it was computed"


@pytest.mark.proves("write-back/flush-gives-way")
def test_a_computation_that_began_after_a_deletion_outranks_an_older_queued_write(
    cache: TieredCache, other: TieredCache
) -> None:
    cache.set("key", "older")
    other.delete("key")
    other.get_or_compute("key", lambda: "computed from the newer data")
    assert cache.flush("10s")
    assert other.get("key") == "computed from the newer data"


@pytest.mark.proves("writing/durability")
def test_the_durability_of_one_call_goes_before_the_policy(
    cache: TieredCache, other: TieredCache
) -> None:
    cache.set("key", "queued")
    assert outcomes(cache.set("key", "through", durability="disk")) == ["written", "written"]
    assert other.get("key") == "through"
    assert cache.flush("10s")
    assert other.get("key") == "through"
    assert outcomes(cache.set_many({"key": 1}, durability="disk")["key"]) == ["written", "written"]
    with pytest.raises(ConfigurationError, match="'memory', 'disk' or 'remote'"):
        cache.set("key", 1, durability="marble")


def test_a_computed_value_is_queued_as_well(cache: TieredCache, other: TieredCache) -> None:
    assert cache.get_or_compute("key", lambda: 7, ttl="1h") == 7
    assert other.get("key") is None
    assert cache.flush("10s")
    assert other.get("key") == 7


@pytest.mark.proves("write-back/queued-fill")
def test_law_4_a_queued_fill_does_not_land_on_a_changed_key(
    cache: TieredCache, other: TieredCache
) -> None:
    cache.get_or_compute("key", lambda: "computed")
    other.set("key", "set meanwhile")
    other.delete("key")
    assert cache.flush("10s")
    assert other.get("key") is None


@pytest.mark.proves("law-7/snapshot")
@pytest.mark.parametrize("copy", [None, "deep"])
@pytest.mark.parametrize("how", ["set", "set_many", "get_or_compute", "get_or_compute_many"])
def test_law_7_the_written_value_is_the_acknowledged_one(
    how: str, copy: Literal["deep"] | None, tmp_path: Path, other: TieredCache
) -> None:
    value = {"messages": [1]}
    writes: dict[str, Callable[[TieredCache], object]] = {
        "set": lambda cache: cache.set("key", value),
        "set_many": lambda cache: cache.set_many({"key": value}),
        "get_or_compute": lambda cache: cache.get_or_compute("key", lambda: value),
        "get_or_compute_many": lambda cache: cache.get_or_compute_many(
            ["key"], lambda _: {"key": value}
        ),
    }
    with TieredCache([MemoryTier(copy=copy), DiskTier(tmp_path)], writing=SLOWLY) as cache:
        writes[how](cache)
        value["messages"].append(2)
        assert cache.flush("10s")
        assert other.get("key") == {"messages": [1]}


@pytest.mark.proves("law-7/snapshot")
def test_law_7_a_read_from_the_queue_gives_the_acknowledged_value(cache: TieredCache) -> None:
    value = [1]
    cache.set("key", value)
    value.append(2)
    cache.set("another", 1)  # memory holds one entry only
    first = cache.get("key")
    assert first == [1]
    first.append(3)
    cache.set("another", 1)
    assert cache.get("key") == [1], "nor does a change by a reader matter"


@pytest.mark.proves("law-7/snapshot")
def test_law_7_touching_a_queued_write_keeps_the_acknowledged_value(
    cache: TieredCache, other: TieredCache
) -> None:
    value = [1]
    cache.set("key", value, ttl="1m")
    value.append(2)
    assert cache.touch("key", "1h")
    assert cache.flush("10s")
    assert other.get("key") == [1]


@pytest.mark.proves("write-back/refused-at-once")
def test_a_value_that_a_slow_tier_can_not_store_is_refused_at_once(cache: TieredCache) -> None:
    result = cache.set("key", lambda: 1)
    assert outcomes(result) == ["written", "refused"]
    assert "pickling" in result.tiers[1].reason
    assert len(cache._source.core().stack.queue) == 0


@pytest.mark.proves("write-back/set-many")
def test_many_writes_are_journaled_in_one_transaction(
    tmp_path: Path, valkey: ValkeyServer, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    transactions = []
    change = OwnFile.change

    def counted(journal: OwnFile, operation: str) -> Any:
        transactions.append(journal)
        return change(journal, operation)

    monkeypatch.setattr(OwnFile, "change", counted)
    tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path), patient_redis(valkey.url)]
    slowly = WriteBack("disk", flush_interval="1h", max_delay="2h")
    values = {f"{number}": number for number in range(40)}
    with TieredCache(tiers, namespace=namespace, writing=slowly) as cache:
        results = cache.set_many(values)
        assert {tuple(outcomes(each)) for each in results.values()} == {
            ("written", "written", "queued")
        }
        assert len(transactions) == 1
        assert sorted(each.key for each in cache.journal()) == sorted(values)
        assert cache.flush("10s")
        assert cache.journal() == []
        with TieredCache([patient_redis(valkey.url)], namespace=namespace) as redis:
            assert redis.get_many(values) == values


def test_many_deletions_are_journaled_in_one_transaction(
    tmp_path: Path, valkey: ValkeyServer, namespace: str
) -> None:
    tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path), patient_redis(valkey.url)]
    slowly = WriteBack("disk", flush_interval="1h", max_delay="2h")
    with TieredCache(tiers, namespace=namespace, writing=slowly) as cache:
        cache.set_many({"a": 1, "b": 2, "c": 3})
        journal = cache._source.core().stack.journal()
        assert isinstance(journal, DiskJournal)
        written = []
        write = journal.write
        journal.write = lambda rows: written.append(len(rows)) or write(rows)  # type: ignore[method-assign,func-returns-value] # counts
        assert cache.delete_many(["a", "b", "never there"]) == 2
        assert written == [3]
        assert [each.key for each in cache.journal()] == ["c"]
        assert cache.flush("10s")
        assert cache.get_many(["a", "b", "c"]) == {"c": 3}


def test_a_deletion_takes_the_journaled_write_of_its_key_along(
    tmp_path: Path, valkey: ValkeyServer, namespace: str
) -> None:
    tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path), patient_redis(valkey.url)]
    with TieredCache(tiers, namespace=namespace, writing=SLOWLY) as cache:
        cache.set_many({"a": 1, "b": 1}, durability="disk")
        assert len(cache.journal()) == 2
        assert cache.delete("a")
        assert cache.delete_many(["b"]) == 1
        assert cache.journal() == []


@pytest.mark.proves("write-back/set-many")
def test_of_many_writes_each_batch_waits_for_room(tmp_path: Path, other: TieredCache) -> None:
    writing = WriteBack(flush_interval="1ms", max_batch=4, max_pending=5)
    values = {f"{number}": number for number in range(50)}
    with TieredCache([MemoryTier(), DiskTier(tmp_path)], writing=writing) as cache:
        assert all(cache.set_many(values).values())
        assert cache.flush("20s")
        assert other.get_many(values) == values


@pytest.mark.proves("write-back/set-many")
def test_law_7_many_writes_that_find_no_room_stay_up_to_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(driver, "ROOM_WAIT_S", 0.05)
    tiers: list[Tier[Any]] = [MemoryTier(), RedisTier("redis://127.0.0.1:1")]
    writing = WriteBack(max_pending=5, max_batch=2, flush_interval="1ms")
    values = {f"{number}": number for number in range(8)}
    with TieredCache(tiers, writing=writing) as cache:
        with pytest.raises(QueueFullError):
            cache.set_many(values)
        assert cache.get_many(values) == {"0": 0, "1": 1, "2": 2, "3": 3}
        assert sorted(cache.close("20ms")) == ["0", "1", "2", "3"]


@pytest.mark.proves("write-back/set-many")
def test_many_writes_past_the_queue_replace_waiting_ones(
    cache: TieredCache, other: TieredCache
) -> None:
    cache.set_many({"a": "queued", "b": "queued"})
    cache.set_many({"a": "through", "c": "through"}, durability="disk")
    assert sorted(cache._source.core().stack.queue.held) == ["b"]
    assert cache.flush("10s")
    assert other.get_many(["a", "b", "c"]) == {"a": "through", "b": "queued", "c": "through"}


def test_touch_renews_a_queued_write(cache: TieredCache, other: TieredCache) -> None:
    cache.set("key", 1, ttl="1m")
    assert cache.touch("key", "1h")
    assert cache.flush("10s")
    remaining_s = other.lookup("key").remaining_s
    assert 3500 < remaining_s <= 3600


def test_events_report_queued_and_finished_writes(cache: TieredCache) -> None:
    events: list[Event] = []
    cache.on_event(events.append)
    cache.set("key", 1)
    assert cache.flush("10s")
    writes = [(each.tier, each.detail) for each in events if each.kind is EventKind.WRITE]
    assert sorted(writes) == [("disk", ""), ("disk", "queued"), ("memory", "")]


@pytest.mark.proves("law-7/queue-full", "write-back/close")
def test_law_7_a_full_queue_pushes_back_and_drops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "ROOM_WAIT_S", 0.05)
    tiers: list[Tier[Any]] = [MemoryTier(), RedisTier("redis://127.0.0.1:1")]
    with TieredCache(tiers, writing=WriteBack(max_pending=3, flush_interval="1ms")) as cache:
        for number in range(3):
            cache.set(str(number), number)
        with pytest.raises(QueueFullError, match="max_pending"):
            cache.set("one more", 1)
        assert cache.get("one more") is None, "nothing was written"
        assert cache.set("0", "again"), "a key that waits is replaced"
        assert cache.get_or_compute("computed", lambda: 5) == 5, "a fill is left out"
        assert sorted(cache.close("50ms")) == ["0", "1", "2"]
        assert cache.close("50ms") == [], "once is enough"


@pytest.mark.proves("write-back/tier-away")
@pytest.mark.parametrize("durability", ["memory", "disk"])
def test_writes_while_redis_is_away_arrive_when_it_is_back(
    durability: str, tmp_path: Path, namespace: str
) -> None:
    with ValkeyServer() as server:
        tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path), patient_redis(server.url)]
        cache = TieredCache(
            tiers, namespace=namespace, writing=WriteBack(durability), probe_interval="50ms"
        )
        server.kill()
        cache.set("key", "while it is away")
        cache.delete("deleted")
        assert cache.flush("200ms") is False
        server.restart()
        assert cache.flush("20s")
        cache.close()
        with TieredCache([patient_redis(server.url)], namespace=namespace) as redis:
            assert redis.get("key") == "while it is away"


@pytest.mark.proves("write-back/expired-in-queue")
def test_law_4_a_queued_write_that_ends_before_it_is_flushed_uncovers_nothing_older(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    with (
        TieredCache([MemoryTier(), DiskTier(tmp_path)], writing=SLOWLY, clock=clock) as cache,
        TieredCache([DiskTier(tmp_path)], clock=clock) as other,
    ):
        other.set("key", "older", ttl="1h")
        cache.set("key", "newer", ttl="1s")
        clock.advance(2)
        assert cache.get("key") is None
        assert cache.flush("10s")
        assert cache.get("key") is None
        assert other.get("key") is None


@pytest.mark.proves("law-1/strict-background")
def test_a_strict_cache_goes_on_flushing_when_a_tier_is_back(namespace: str) -> None:
    with ValkeyServer() as server:
        tiers: list[Tier[Any]] = [MemoryTier(), patient_redis(server.url)]
        with TieredCache(
            tiers, namespace=namespace, writing=WriteBack(), strict=True, probe_interval="50ms"
        ) as cache:
            server.kill()
            cache.set("key", 1)
            assert cache.flush("200ms") is False
            server.restart()
            assert cache.flush("20s")
            assert cache.stats().tiers[1].writes == 1


def test_a_write_without_a_journal_takes_the_journaled_one_of_its_key_along(
    tmp_path: Path, valkey: ValkeyServer, namespace: str
) -> None:
    tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path), patient_redis(valkey.url)]
    slowly = WriteBack("disk", flush_interval="1h", max_delay="2h")
    with TieredCache(tiers, namespace=namespace, writing=slowly) as cache:
        cache.set("key", "journaled")
        assert [each.key for each in cache.journal()] == ["key"]
        cache.set("key", "in memory only", durability="memory")
        assert cache.flush("10s")
        assert cache.journal() == []
        cache.set("key", "journaled again")
        cache.set("key", "everywhere", durability="remote")
        assert cache.journal() == []


@pytest.mark.proves("write-back/expired-in-queue", "write-back/record-refused")
def test_one_poison_record_holds_up_no_other(namespace: str, valkey: ValkeyServer) -> None:
    clock = FakeClock()
    tiers: list[Tier[Any]] = [MemoryTier(), patient_redis(valkey.url, max_value_bytes=1000)]
    with TieredCache(tiers, namespace=namespace, writing=WriteBack(), clock=clock) as cache:
        core = cache._source.core()
        cache.set("poison", "older", durability="remote")
        cache.set("poison", "x" * 2000)
        cache.set("fine", "x")
        while core.stack.queue.held:
            clock.advance(60)
            core.flusher.flush_due()
        assert core.stack.queue.figures()["parked"] == 1
        with TieredCache([patient_redis(valkey.url)], namespace=namespace, clock=clock) as redis:
            assert list(redis.keys()) == ["fine"], "older entries are gone too"


@pytest.mark.proves("write-back/clock-back")
def test_a_clock_that_is_set_back_loses_no_write(tmp_path: Path) -> None:
    clock = FakeClock()
    with (
        TieredCache([MemoryTier(), DiskTier(tmp_path)], writing=SLOWLY, clock=clock) as cache,
        TieredCache([DiskTier(tmp_path)], clock=clock) as other,
    ):
        for value, set_back_s in enumerate([0.0, 0.0, 3.0, 60.0]):
            clock.set_wall(clock.wall() - set_back_s)
            cache.set("key", value)
            assert cache.flush("10s")
            assert other.get("key") == value


@pytest.mark.proves("write-back/journal-fails")
def test_without_a_journal_all_is_written_at_once(tmp_path: Path) -> None:
    (tmp_path / ".journal").write_text("in the way")
    with ValkeyServer() as server:
        tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path), patient_redis(server.url)]
        with TieredCache(
            tiers, writing=WriteBack("disk", flush_interval="1h", max_delay="2h")
        ) as cache:
            assert outcomes(cache.set("key", 1)) == ["written"] * 3
            assert outcomes(cache.set_many({"key": 1})["key"]) == ["written"] * 3
            assert cache.delete("key")


def test_a_value_that_no_shared_tier_takes_is_refused_there_and_kept_above(
    tmp_path: Path, valkey: ValkeyServer, namespace: str
) -> None:
    tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path), patient_redis(valkey.url)]
    with TieredCache(tiers, namespace=namespace, writing=WriteBack("disk")) as cache:
        result = cache.set("key", Odd())
        assert [each.outcome for each in result.tiers] == [
            WriteOutcome.WRITTEN,
            WriteOutcome.WRITTEN,
            WriteOutcome.REFUSED,
        ]
        assert isinstance(cache.get("key"), Odd)


def test_law_12_a_forked_child_writes_its_own_and_not_its_parents(
    cache: TieredCache, other: TieredCache
) -> None:
    cache.set("parent", 1)

    def child() -> list[Any]:
        cache.set("child", 2)
        return [cache.flush("10s"), cache.get("child")]

    assert in_forked_child(child) == [True, 2]
    assert other.get_many(["parent", "child"]) == {"child": 2}
    assert cache.flush("10s")
    assert other.get("parent") == 1


@pytest.mark.proves("write-back/close")
def test_the_end_of_the_process_writes_the_queue_down(tmp_path: Path, other: TieredCache) -> None:
    script = (
        "from tiered_cache import *; from tiered_cache.policies import WriteBack\n"
        f"cache = TieredCache([MemoryTier(), DiskTier({str(tmp_path)!r})],"
        " writing=WriteBack(flush_interval='1h', max_delay='2h'))\n"
        "cache.set('key', 'at the end')\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    assert other.get("key") == "at the end"


def _set_in_worker(folder: str) -> None:
    tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(folder)]
    TieredCache(tiers, writing=SLOWLY).set("key", "from a worker")


@pytest.mark.proves("write-back/close")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_the_end_of_a_worker_process_writes_the_queue_down(
    method: str, tmp_path: Path, other: TieredCache
) -> None:
    context: Any = multiprocessing.get_context(method)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        worker = context.Process(target=_set_in_worker, args=(str(tmp_path),))
        worker.start()
    worker.join(60)
    assert worker.exitcode == 0
    assert other.get("key") == "from a worker"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"durability": "remote"}, "'memory' or 'disk'"),
        ({"max_batch": 0}, "max_batch=0"),
        ({"max_pending": 1.5}, "max_pending=1.5"),
        ({"flush_interval": "soon"}, "flush_interval='soon'"),
        ({"flush_interval": "10s", "max_delay": "1s"}, "at least flush_interval"),
    ],
)
def test_bad_options_name_the_allowed_values(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        WriteBack(**options)
