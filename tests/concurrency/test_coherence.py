"""Every process that shares a tier sees a change within the bound (laws 4 and 5).

Two caches of one process stand for two processes: they learn of each other only through the tiers.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.patience import patient_disk, patient_redis
from tiered_cache import (
    Coherence,
    ConfigurationError,
    DiskTier,
    Event,
    EventKind,
    MemoryTier,
    NullTier,
    RedisTier,
    TieredCache,
)
from tiered_cache.stats.fleet import publisher
from tiered_cache.testing import FakeClock, ValkeyServer, in_forked_child, race
from tiered_cache.testing.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tiered_cache.contracts import Put, Tier
    from tiered_cache.entry import Entry
    from tiered_cache.testing import ChaosProxy
    from tiered_cache.testing.valkey_cluster import ValkeyCluster

BOUND_S = 2.0
WAIT_S = 30.0

Make = Callable[..., TieredCache]


def never(*_: object) -> Any:
    pytest.fail("it was computed")


@pytest.fixture(params=["host", "cluster", "cluster of servers"])
def open_cache(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    redis_url: str,
    valkey_cluster: ValkeyCluster,
    namespace: str,
    clock: FakeClock,
) -> Iterator[Make]:
    """Makes caches as different processes of a host have them, or different hosts."""
    made: list[TieredCache] = []
    url = redis_url if request.param == "cluster" else valkey_cluster.url

    def make(
        host: int | None = None, *, fast: Tier[Any] | None = None, **options: Any
    ) -> TieredCache:
        number = len(made) if host is None else host
        tiers: list[Tier[Any]] = [fast or MemoryTier()]
        if request.param == "host":
            tiers.append(patient_disk(tmp_path / "shared"))
        else:
            tiers.append(patient_disk(tmp_path / f"host-{number}"))
            tiers.append(patient_redis(url))
        options.setdefault("clock", clock)
        made.append(TieredCache(tiers, namespace=namespace, **options))
        return made[-1]

    yield make
    for cache in made:
        cache.close()


CHANGES: dict[str, Callable[[TieredCache], object]] = {
    "set": lambda cache: cache.set("a/1", "new"),
    "set_many": lambda cache: cache.set_many({"a/1": "new", "b": 1}),
    "delete": lambda cache: cache.delete("a/1"),
    "delete_many": lambda cache: cache.delete_many(["a/1", "b"]),
    "clear": lambda cache: cache.clear(),
    "touch": lambda cache: cache.touch("a/1", "1s"),
}


@pytest.mark.proves("law-5/every-change")
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("read", ["get", "get_many", "exists", "compute", "explain"])
def test_law_5_a_change_elsewhere_is_seen_within_the_bound(
    change: str, read: str, open_cache: Make, clock: FakeClock
) -> None:
    cache, elsewhere = open_cache(), open_cache()
    cache.set("a/1", "old")
    assert elsewhere.get("a/1") == "old"
    assert cache.staleness_bound == elsewhere.staleness_bound == BOUND_S
    CHANGES[change](cache)
    clock.advance(BOUND_S)
    new = "new" if change.startswith("set") else None
    if read == "get":
        assert elsewhere.get("a/1") == new
    elif read == "get_many":
        assert elsewhere.get_many(["a/1"]).get("a/1") == new
    elif read == "exists":
        assert elsewhere.exists("a/1") == (new is not None)
    elif read == "compute":
        assert elsewhere.get_or_compute("a/1", lambda: "computed") == (new or "computed")
    else:
        first = elsewhere.explain("a/1")[0]
        assert not first.present


@pytest.mark.proves("law-5/in-use")
def test_law_5_a_change_arrives_at_once_when_the_cache_is_in_use(open_cache: Make) -> None:
    options: dict[str, Any] = {"clock": FakeClock(), "coherence": Coherence(bound="1h")}
    cache, elsewhere = open_cache(**options), open_cache(**options)
    cache.set("key", 0)
    options["clock"].advance(1)  # from now on threads listen
    for number in range(20):
        assert elsewhere.get("key") == number
        cache.set("key", number + 1)
        wait_until(lambda n=number + 1: elsewhere.get("key") == n, "the change arrives")  # type: ignore[misc] # a lambda with a default


@pytest.mark.proves("law-5/own-changes")
def test_own_changes_of_a_cache_stay_in_its_memory(open_cache: Make, clock: FakeClock) -> None:
    cache = open_cache()
    for number in range(5):
        cache.set("key", number)
        clock.advance(BOUND_S)
        assert cache.get("key") == number
    assert cache.stats().tier("memory").hits == 5


@pytest.mark.proves("law-5/own-changes")
def test_fills_are_not_in_the_change_log(open_cache: Make, clock: FakeClock) -> None:
    cache, elsewhere = open_cache(), open_cache()
    log: Any = cache._source.core().stack.levels[-1].tier
    position = log.offers.change_log.read(None).position
    for number in range(10):
        assert cache.get_or_compute(f"{number}", lambda: "value") == "value"
        assert elsewhere.get_or_compute(f"{number}", never) == "value"
    assert cache.get_or_compute_many(["a", "b"], lambda keys: dict.fromkeys(keys, 1))
    clock.advance(BOUND_S)
    assert elsewhere.get("1") == "value"
    assert log.offers.change_log.read(position).changes == []


@pytest.mark.proves("law-2/hits-free")
def test_hits_in_memory_go_on_without_a_call_while_nothing_changes(
    open_cache: Make, clock: FakeClock
) -> None:
    cache = open_cache()
    cache.set("key", "value")
    for _ in range(5):
        clock.advance(BOUND_S)
        for _ in range(100):
            assert cache.get("key") == "value"
    stats = cache.stats()
    assert stats.tier("memory").hits == 500
    assert cache._source.core().hits.now().hits == 495


@pytest.mark.proves("law-4/cluster", "law-4/clear-elsewhere")
@pytest.mark.parametrize("clearing", [True, False])
def test_law_4_a_late_fill_elsewhere_does_not_bring_back_a_removed_key(
    clearing: bool, open_cache: Make, clock: FakeClock
) -> None:
    cache, elsewhere = open_cache(), open_cache()

    def compute() -> str:
        if clearing:
            cache.clear()
        else:
            cache.delete("key")
        return "outdated"

    assert elsewhere.get_or_compute("key", compute) == "outdated"
    clock.advance(BOUND_S)
    for each in (cache, elsewhere, open_cache()):
        assert each.get("key") is None
    assert elsewhere.get_or_compute("key", lambda: "new") == "new"
    assert cache.get("key") == "new"


@pytest.mark.proves("law-4/after-a-notice")
def test_law_4_callers_after_a_change_elsewhere_get_no_earlier_computation(
    open_cache: Make, clock: FakeClock
) -> None:
    cache, elsewhere = open_cache(), open_cache()
    began, go = threading.Event(), threading.Event()

    def compute() -> str:
        began.set()
        assert go.wait(WAIT_S)
        return "outdated"

    thread = threading.Thread(target=elsewhere.get_or_compute, args=("key", compute))
    thread.start()
    assert began.wait(WAIT_S)
    cache.set("key", "new")
    clock.advance(BOUND_S)
    assert elsewhere.get_or_compute("key", never) == "new"
    go.set()
    thread.join()
    assert elsewhere.get("key") == cache.get("key") == "new"


class Paused(MemoryTier):
    """A memory tier that holds the write of `value` until `go` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.go = threading.Event(), threading.Event()
        self.value: object = None

    def put(self, key: str, put: Put[Entry]) -> bool:
        if put.item.value == self.value:
            self.reached.set()
            assert self.go.wait(WAIT_S)
        return super().put(key, put)


@pytest.mark.proves("law-4/upper-tiers-elsewhere")
def test_law_4_a_write_that_was_overtaken_elsewhere_does_not_stay_in_memory(
    open_cache: Make, clock: FakeClock
) -> None:
    memory = Paused()
    cache, elsewhere = open_cache(fast=memory), open_cache()
    memory.value = "overtaken"
    writer = threading.Thread(target=cache.set, args=("key", "overtaken"))
    writer.start()
    assert memory.reached.wait(WAIT_S)
    elsewhere.set("key", "newer")
    clock.advance(BOUND_S)
    reader = threading.Thread(target=cache.get, args=("another key",))
    reader.start()  # learns of the newer value, and must wait for the writer
    memory.go.set()
    writer.join()
    reader.join()
    assert cache.get("key") == elsewhere.get("key") == "newer"


class PausedDisk(DiskTier):
    """A disk tier that holds one write until `go` is set."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.paused = False
        self.reached, self.go = threading.Event(), threading.Event()

    def put(self, *args: Any, **options: Any) -> bool:
        if self.paused:
            self.paused = False
            self.reached.set()
            assert self.go.wait(WAIT_S)
        return super().put(*args, **options)


@pytest.mark.proves("law-4/upper-tiers-elsewhere")
def test_law_4_a_write_that_was_overtaken_elsewhere_does_not_stay_on_the_disk(
    tmp_path: Path, redis_url: str, namespace: str, clock: FakeClock
) -> None:
    def make(disk: DiskTier) -> TieredCache:
        return TieredCache(
            [MemoryTier(), disk, patient_redis(redis_url)], namespace=namespace, clock=clock
        )

    disk = PausedDisk(tmp_path / "one")
    with (
        make(disk) as cache,
        make(DiskTier(tmp_path / "one")) as neighbour,
        make(DiskTier(tmp_path / "two")) as elsewhere,
    ):
        disk.paused = True
        writer = threading.Thread(target=cache.set, args=("key", "overtaken"))
        writer.start()
        assert disk.reached.wait(WAIT_S)
        elsewhere.set("key", "newer")
        clock.advance(BOUND_S)
        assert neighbour.get("another key") is None  # drops the key on the disk that both share
        disk.go.set()
        writer.join()
        # If the writer dies now, no process drops the key again.
        record = DiskTier(tmp_path / "one")
        with TieredCache([record], namespace=namespace, clock=clock) as alone:
            assert alone.get("key") is None
        assert neighbour.get("key") == "newer"


@pytest.mark.proves("law-5/catch-up")
def test_law_5_a_returning_host_does_not_serve_entries_changed_meanwhile(
    tmp_path: Path, redis_url: str, namespace: str, clock: FakeClock
) -> None:
    def make(host: str) -> TieredCache:
        tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path / host), patient_redis(redis_url)]
        return TieredCache(tiers, namespace=namespace, clock=clock)

    with make("one") as cache:
        with make("two") as away:
            away.set_many({"changed": "old", "kept": "as it is"})
        cache.set("changed", "new")
        with make("two") as back:
            assert back.get("changed") == "new"
            assert back.get("kept") == "as it is"
            assert back.stats().tier("disk").hits == 1, "unchanged entries were kept"


def forget_log(cache: TieredCache) -> None:
    """Make so many changes that the log loses the earlier ones."""
    tier: Any = cache._source.core().stack.levels[-1].tier
    log = tier.offers.change_log
    position = log.read(None).position
    while log.read(position).complete:
        for _ in range(1000):
            tier.delete("another")


@pytest.mark.proves("law-5/too-far-behind")
def test_law_5_a_process_too_far_behind_starts_empty(open_cache: Make, clock: FakeClock) -> None:
    cache, elsewhere = open_cache(), open_cache()
    cache.set("key", "old")
    assert elsewhere.get("key") == "old"
    cache.set("key", "new")
    forget_log(cache)
    clock.advance(BOUND_S)
    assert elsewhere.get("key") == "new"


@pytest.mark.proves("law-5/not-when-serving", "law-5/log-unreadable")
@pytest.mark.parametrize("kind", ["blackhole", "refuse"])
def test_law_5_while_changes_cannot_be_learned_nothing_old_is_served(
    kind: str,
    tmp_path: Path,
    redis_url: str,
    namespace: str,
    clock: FakeClock,
    chaos_proxy: Callable[[str], ChaosProxy],
) -> None:
    proxy = chaos_proxy(redis_url)

    def make(url: str, host: str, **options: Any) -> TieredCache:
        tiers: list[Tier[Any]] = [
            MemoryTier(),
            DiskTier(tmp_path / host),
            patient_redis(url) if url == redis_url else RedisTier(url, timeout="500ms"),
        ]
        return TieredCache(tiers, namespace=namespace, clock=clock, probe_interval="1s", **options)

    serving = Coherence(when_cut="serve")
    with (
        make(proxy.url, "one") as cut,
        make(proxy.url, "two", coherence=serving) as lenient,
        make(redis_url, "three") as cache,
    ):
        cache.set_many({"changed": "old", "kept": "as it is"})
        clock.advance(BOUND_S)
        for each in (cut, lenient):
            assert each.get_many(["changed", "kept"]) == {"changed": "old", "kept": "as it is"}
        {"blackhole": proxy.blackhole, "refuse": proxy.refuse}[kind]()
        cache.set("changed", "new")
        clock.advance(BOUND_S)
        assert cut.get_many(["changed", "kept"]) == {}
        assert cut.lookup("kept").status.value == "error"
        assert cut.stats().tier("memory").skips >= 2
        assert cut.get_or_compute("changed", lambda: "computed") == "computed"
        assert cut.get("changed") == "computed", "it is younger than the bound"
        assert "are unknown" in cut.explain("kept")[0].why
        assert lenient.get("changed") == "old"
        assert lenient.staleness_bound == float("inf")
        proxy.forward()
        for each in (cut, lenient):

            def is_new(cache: TieredCache = each) -> bool:
                clock.advance(BOUND_S)
                return bool(cache.get("changed") == "new")

            wait_until(is_new, "missed changes are caught up with")
            before = each.stats().tier("memory").hits
            assert each.get("kept") == "as it is"
            assert each.stats().tier("memory").hits == before + 1, "it was not dropped"


@pytest.mark.proves("law-5/data-lost")
def test_law_5_a_server_that_lost_its_data_leaves_nothing_old(
    tmp_path: Path, namespace: str, clock: FakeClock
) -> None:
    with ValkeyServer(port=0) as server:

        def make(host: str) -> TieredCache:
            tiers: list[Tier[Any]] = [
                MemoryTier(),
                DiskTier(tmp_path / host),
                patient_redis(server.url),
            ]
            return TieredCache(tiers, namespace=namespace, clock=clock)

        with make("one") as cache, make("two") as elsewhere:
            cache.set("key", "old")
            assert elsewhere.get("key") == "old"
            cache.delete("key")
            server.restart()
            clock.advance(BOUND_S)
            assert elsewhere.get("key") is None
            assert cache.get("key") is None
            cache.set("key", "new")
            clock.advance(BOUND_S)
            assert elsewhere.get("key") == "new"


@pytest.mark.proves("law-5/data-lost")
def test_law_5_a_database_that_was_replaced_leaves_nothing_old(
    tmp_path: Path, namespace: str, clock: FakeClock
) -> None:
    def make() -> TieredCache:
        return TieredCache([MemoryTier(), DiskTier(tmp_path)], namespace=namespace, clock=clock)

    with make() as cache:
        cache.set("key", "old")
        log: Any = cache._source.core().stack.levels[1].tier
        store = log._store.cache()
        with store.transact():
            store._sql("DELETE FROM TieredLog")
            store._sql("INSERT INTO TieredLog VALUES (7, '', x'', 0, NULL)")
        store.delete("key")
        clock.advance(BOUND_S)
        assert cache.get("key") is None


@pytest.mark.proves("law-5/forked-child")
def test_law_12_a_forked_child_keeps_up_by_itself(open_cache: Make, clock: FakeClock) -> None:
    cache, elsewhere = open_cache(), open_cache()
    cache.set("key", "old")
    clock.advance(BOUND_S)
    assert elsewhere.get("key") == "old"

    def child() -> object:
        cache.set("key", "new")  # of a cache that the child has of its own now
        clock.advance(BOUND_S)
        return [elsewhere.get("key"), cache.get("key")]

    assert in_forked_child(child) == ["new", "new"]
    clock.advance(BOUND_S)
    assert [elsewhere.get("key"), cache.get("key")] == ["new", "new"]


@pytest.mark.proves("law-5/threads-end", "counting/publisher")
@pytest.mark.parametrize("closed", [True, False])
def test_an_unused_cache_ends_its_threads(
    closed: bool,
    tmp_path: Path,
    namespace: str,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The publisher pauses for this multiple of the time that its work took.
    monkeypatch.setattr(publisher, "_SHARE", 1.0)
    before = set(threading.enumerate())

    def started() -> set[str]:
        return {thread.name for thread in set(threading.enumerate()) - before}

    both = {"tiered-cache-follower-disk", "tiered-cache-publisher"}

    cache = TieredCache([MemoryTier(), DiskTier(tmp_path)], namespace=namespace, clock=clock)
    assert started() == set()
    clock.advance(1)
    cache.get("key")
    assert started() == both

    def over() -> bool:
        clock.advance(0 if closed else 10)
        return started() == set()

    if closed:
        cache.close()
    wait_until(over, "the threads end", 60)
    if not closed:
        cache.get("key")
        assert started() == both
        cache.close()


@pytest.mark.proves("law-5/memory-hits-only")
def test_law_5_a_reader_with_memory_hits_only_learns_of_changes_when_cut_serves(
    open_cache: Make, clock: FakeClock
) -> None:
    """An inlined hit makes no call, so a cache with only such hits must still count as used."""
    cache, elsewhere = open_cache(coherence=Coherence(when_cut="serve")), open_cache()
    cache.set("key", "old")
    before = set(threading.enumerate())

    def followers() -> list[str]:
        started = set(threading.enumerate()) - before
        return [each.name for each in started if "follower" in each.name]

    clock.advance(BOUND_S)
    cache.get("another")
    assert followers()

    def over() -> bool:
        clock.advance(20)
        return not followers()

    wait_until(over, "the thread ends, since no call comes")
    clock.advance(20)
    elsewhere.set("key", "new")
    assert cache.get("key") == "new"


@pytest.mark.proves("law-1/strict-background")
def test_law_5_a_strict_cache_goes_on_hearing_of_changes_when_the_server_is_back(
    namespace: str, clock: FakeClock
) -> None:
    """The thread that reads the log has no caller, so it must not raise."""
    with ValkeyServer(port=0) as server:

        def make() -> TieredCache:
            tiers: list[Tier[Any]] = [MemoryTier(), patient_redis(server.url)]
            return TieredCache(tiers, namespace=namespace, clock=clock, strict=True)

        with make() as cache:
            before = set(threading.enumerate())
            clock.advance(BOUND_S)
            assert cache.get("key") is None
            (follower,) = [
                each for each in set(threading.enumerate()) - before if "follower" in each.name
            ]
            server.kill()
            wait_until(
                lambda: cache.stats().tier("redis").breaker == "open", "the thread has asked"
            )
            assert follower.is_alive()
            server.restart()
            clock.advance(60)
            with make() as elsewhere:
                elsewhere.set("key", "new")
                assert cache.get("key") == "new"
                elsewhere.set("key", "newer")
                wait_until(lambda: cache.get("key") == "newer", "it hears of it")


@pytest.mark.proves("law-5/threads")
def test_listeners_get_events_for_changes_of_other_processes(
    open_cache: Make, clock: FakeClock
) -> None:
    cache, elsewhere = open_cache(), open_cache()
    cache.set("key", "old")
    assert elsewhere.get("key") == "old"
    events: list[Event] = []
    elsewhere.on_event(events.append)
    cache.set("key", "new")
    clock.advance(BOUND_S)
    assert elsewhere.get("key") == "new"
    dropped = [each for each in events if each.kind is EventKind.DELETE]
    assert ("memory", "key") in [(each.tier, each.key) for each in dropped]


@pytest.mark.proves("law-5/not-when-serving", "law-5/stated")
def test_the_bound_of_a_stack_is_stated(tmp_path: Path, clock: FakeClock) -> None:
    class Unlogged(NullTier):
        reach = DiskTier.reach

    stacks: list[tuple[list[Tier[Any]], dict[str, Any], float]] = [
        ([MemoryTier()], {}, 0.0),
        ([DiskTier(tmp_path / "a")], {}, 0.0),
        ([MemoryTier(), NullTier()], {}, 0.0),
        ([MemoryTier(), DiskTier(tmp_path / "b")], {}, BOUND_S),
        ([MemoryTier(), DiskTier(tmp_path / "c")], {"coherence": Coherence(bound="5s")}, 5.0),
        ([MemoryTier(), Unlogged()], {}, BOUND_S),
        ([MemoryTier(), Unlogged()], {"coherence": Coherence(bound=None)}, float("inf")),
        (
            [MemoryTier(), Unlogged()],
            {"coherence": Coherence(when_cut="serve"), "max_ttl": {"memory": "1m"}},
            60.0,
        ),
    ]
    for tiers, options, bound_s in stacks:
        with TieredCache(tiers, clock=clock, **options) as cache:
            assert cache.staleness_bound == bound_s


@pytest.mark.parametrize("options", [{"bound": "10ms"}, {"when_cut": "wait"}, {"bound": "-1s"}])
def test_a_coherence_that_makes_no_sense_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises((ConfigurationError, ValueError)):
        Coherence(**options)


@pytest.mark.proves("law-5/threads")
def test_law_4_and_5_under_threads_and_random_changes(open_cache: Make) -> None:
    options: dict[str, Any] = {"clock": FakeClock(), "coherence": Coherence(bound="1h")}
    caches = [open_cache(host=number // 2, **options) for number in range(4)]
    options["clock"].advance(1)

    def work(number: int) -> None:
        chance = random.Random(number)
        cache = caches[number % 4]
        for turn in range(150):
            key = f"key {chance.randrange(3)}"
            action = chance.randrange(6)
            if action == 0:
                cache.set(key, f"{number}/{turn}")
            elif action == 1:
                cache.delete(key)
            elif action == 2:
                cache.clear()
            else:
                cache.get_or_compute(key, f"{number}/{turn}".strip)

    race(8, work)
    keys = [f"key {number}" for number in range(3)]

    def alike() -> bool:
        found = [cache.get_many(keys) for cache in caches]
        return all(each == found[0] for each in found)

    wait_until(alike, "all caches hold the same")
