"""The statistics of all processes: published, merged, and never counted twice."""

from __future__ import annotations

import math
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.patience import patient_redis
from tiered_cache import DiskTier, MemoryTier, TieredCache
from tiered_cache.policies import Histograms, LatencyHistogram, Off
from tiered_cache.stats.fleet.board_state import PROCESS, read_board
from tiered_cache.stats.fleet.fleet_stats import FleetStats
from tiered_cache.stats.fleet.outlet import Answer, Outlet
from tiered_cache.stats.fleet.publisher import Publisher
from tiered_cache.stats.fleet.reports import (
    ProcessReport,
    Totals,
    decode_report,
    decode_totals,
    encode,
)
from tiered_cache.stats.fleet.upkeep import tidy
from tiered_cache.stats.snapshot.cache_stats import (
    BreakerChange,
    CacheStats,
    FunctionStats,
    NamespaceStats,
    TierStats,
)
from tiered_cache.stats.snapshot.fields import counters, gauges
from tiered_cache.stats.snapshot.group_stats import OTHERS
from tiered_cache.stats.snapshot.merge import at_rest, merged, trimmed
from tiered_cache.testing import FakeClock
from tiered_cache.tiers.disk._board import DiskBoard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tiered_cache.contracts import Tier
    from tiered_cache.testing import ChaosProxy


def numbered(kind: Any, first: int, **given: Any) -> Any:
    """A snapshot with a different number in each counter."""
    fields = {
        name: float(first + place) if "seconds" in name else first + place
        for place, name in enumerate(counters(kind))
        if "latency" not in name
    }
    return kind(**{**fields, **given})


def snapshot(first: int) -> CacheStats:
    """A snapshot of a cache with numbers in all counters of all parts."""
    tiers = (
        numbered(TierStats, first, name="memory", reach="process", entries=5, max_entries=10),
        numbered(TierStats, 2 * first, name="disk", reach="host", entries=first, bytes=100),
        numbered(TierStats, 3 * first, name="redis", reach="cluster", entries=None),
    )
    made: CacheStats = numbered(
        CacheStats,
        first,
        tiers=tiers,
        namespaces=(numbered(NamespaceStats, first, name="view"),),
        functions=(numbered(FunctionStats, first, name=f"f{first}"),),
    )
    return made


def report(number: int, stats: CacheStats, **given: Any) -> ProcessReport:
    fields = {
        "name": f"host:{number}:1",
        "host": "host",
        "pid": number,
        "program": "program",
        "started_s": 1.0,
        "at_s": 2.0,
        "stats": stats,
    }
    return ProcessReport(**{**fields, **given})


def total_of(parts: list[CacheStats], name: str) -> Any:
    return sum(getattr(each, name) for each in parts)


class Process:
    """A simulated process with a real publisher on a real board."""

    def __init__(self, board: DiskBoard, number: int, clock: FakeClock) -> None:
        self.did = CacheStats()
        self.answers: list[Answer] = []
        self.outlet = Outlet(board, "host", self.guarded)
        self.publisher = Publisher(
            [self.outlet], lambda: self.did, lambda: self.did, lambda: f"host:{number}", clock
        )

    def guarded(self, function: Callable[..., Any], *args: Any, **options: Any) -> Answer:
        if self.answers and self.answers[0].asked:
            function(*args, **options)  # the call succeeds and its answer is lost
        if self.answers:
            return self.answers.pop(0)
        return Answer(asked=True, done=True, value=function(*args, **options))

    def do(self, hits: int) -> None:
        self.did = replace(self.did, hits=self.did.hits + hits)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def board(tmp_path: Path, clock: FakeClock) -> Iterator[DiskBoard]:
    made = DiskBoard(2.0, "disk")
    made.open(tmp_path / "board.db", clock.wall)
    yield made
    made.close()


def hits_on(board: DiskBoard) -> tuple[int, int, int]:
    """The merged hits, the number of running processes, and the number of ended ones."""
    now = read_board(board)
    return now.stats().hits, len(now.running), now.gone


@pytest.mark.proves("counting/fleet-sum")
def test_law_11_counters_of_processes_are_summed_and_part_by_part() -> None:
    parts = [snapshot(100), snapshot(1000)]
    both = merged([("a", parts[0]), ("b", parts[1])])
    for name in counters(CacheStats):
        if "latency" not in name:
            assert getattr(both, name) == total_of(parts, name), name
    for tier in ("memory", "disk", "redis"):
        for name in counters(TierStats):
            if "latency" not in name:
                expected = sum(getattr(each.tier(tier), name) for each in parts)
                assert getattr(both.tier(tier), name) == expected, (tier, name)
        assert both.tier(tier).lookups == sum(each.tier(tier).lookups for each in parts)
    view = both.namespace("view")
    assert view.lookups == sum(each.namespace("view").lookups for each in parts)
    assert [each.name for each in both.functions] == ["f100", "f1000"]
    assert both.processes == 2


def test_every_field_is_a_counter_or_a_gauge_or_a_part() -> None:
    parts = {"tiers", "namespaces", "functions", "name", "curve"}
    for kind in (CacheStats, TierStats, FunctionStats):
        names = {*counters(kind), *gauges(kind)}
        assert {field for field in kind.__slots__ if field not in parts} <= names | parts
        assert not set(counters(kind)) & set(gauges(kind))


@pytest.mark.proves("counting/fleet-sum")
def test_figures_of_a_shared_tier_are_counted_once() -> None:
    one = snapshot(7)
    here = merged([("a", one), ("a", one)])
    assert (here.tier("memory").entries, here.tier("disk").entries) == (10, 7)
    assert here.tier("disk").bytes == 100
    hosts = merged([("a", one), ("b", one)])
    assert (hosts.tier("memory").entries, hosts.tier("disk").entries) == (10, 14)


def test_the_worst_breaker_is_shown_with_its_cause() -> None:
    closed = TierStats("redis", detail="server")
    opened = TierStats(
        "redis", detail="refused", breaker="open", breaker_changes=(BreakerChange(5.0, "open"),)
    )
    both = merged([("a", CacheStats(tiers=(closed,))), ("b", CacheStats(tiers=(opened,)))])
    tier = both.tier("redis")
    assert (tier.breaker, tier.detail) == ("open", "refused")
    assert tier.breaker_changes == (BreakerChange(5.0, "open"),)


def test_distributions_are_merged() -> None:
    quick, slow = LatencyHistogram(), LatencyHistogram()
    quick.record(0.001)
    slow.record(1.0)
    parts = [CacheStats(compute_latency=each) for each in (quick, slow, None)]
    both = merged([("", each) for each in parts])
    assert both.compute_latency == quick + slow


def test_merging_no_reports_gives_zeros() -> None:
    assert merged([]).lookups == 0
    assert merged([]).processes == 0


def test_law_10_a_report_has_a_hundred_functions_and_the_rest_together() -> None:
    functions = tuple(
        FunctionStats(f"f{number}", hits=1, compute_seconds=float(number)) for number in range(300)
    )
    kept = trimmed(CacheStats(functions=functions), 100).functions
    assert len(kept) == 100
    assert sum(each.hits for each in kept) == 300
    assert {"f299", "f201", OTHERS} <= {each.name for each in kept}


def test_published_reports_are_read_unchanged() -> None:
    times = LatencyHistogram()
    times.record(0.5, times=3)
    stats = replace(snapshot(3), compute_latency=times, staleness_bound_s=math.inf)
    published = report(1, stats)
    assert decode_report(encode(published)) == published
    totals = Totals(at_s=1.0, gone=2, stats=stats)
    assert decode_totals(encode(totals)) == totals


@given(st.binary(max_size=200))
def test_law_9_random_bytes_are_no_report(data: bytes) -> None:
    for decode in (decode_report, decode_totals):
        with pytest.raises(ValueError):  # noqa: PT011 - of several kinds
            decode(data)


@pytest.mark.proves("counting/damaged-publications")
@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"pid": -1},
        {"pid": "1"},
        {"at_s": math.nan},
        {"name": "x" * 5000},
        {"stats": {"hits": -1}},
        {"stats": {"hits": 2**70}},
        {"stats": {"hits": 1.5}},
        {"stats": {"compute_seconds": math.inf}},
        {"stats": {"compute_seconds": 1e308}},  # the sum of two would be infinite
        {"stats": {"tiers": [{"name": "m", "seconds_saved": -1e308}]}},
        {"stats": {"tiers": [{"name": "m", "curve": [1e308] * 17}]}},
        {"stats": {"tiers": [{"name": "m", "breaker_changes": [[1e13, "open"]]}]}},  # no date
        {"stats": {"compute_latency": {5000: 1}}},
        {"stats": {"compute_latency": {5: -1}}},
        {"stats": {"compute_latency": {"5": 1}}},
        {"stats": {"compute_latency": [1]}},
        {"stats": {"tiers": [{"name": "m", "curve": [1.0]}]}},
        {"stats": {"tiers": [{"name": "m", "curve": [math.nan] * 17}]}},
        {"stats": {"tiers": [{"name": "m"}] * 1001}},
        {"stats": {"tiers": [{"name": "m", "breaker_changes": [[math.inf, "open"]]}]}},
    ],
)
def test_law_9_a_report_with_impossible_numbers_is_no_report(change: dict[str, Any]) -> None:
    good = msgspec.msgpack.decode(encode(report(1, CacheStats())), strict=False)
    try:
        data = msgspec.msgpack.encode({**good, **change})
    except OverflowError:
        return  # MessagePack can't hold it
    with pytest.raises(ValueError):  # noqa: PT011 - of several kinds
        decode_report(data)


@pytest.mark.proves("counting/damaged-publications")
def test_law_9_invalid_reports_are_ignored_counted_and_removed(
    board: DiskBoard, clock: FakeClock
) -> None:
    one = Process(board, 1, clock)
    one.do(5)
    one.publisher.publish(60.0)
    foreign = encode(report(9, CacheStats(hits=1000)))
    board.put(f"{PROCESS}host:8:1", foreign, 60.0, new=True)
    board.put(f"{PROCESS}garbage", b"\x80", 60.0, new=True)
    now = read_board(board)
    assert (now.stats().hits, len(now.unreadable)) == (5, 2)
    tidy(board, clock.wall())
    assert hits_on(board) == (5, 1, 0)
    assert not read_board(board).unreadable


@pytest.mark.proves("counting/damaged-publications")
def test_totals_of_a_newer_release_are_left_alone(board: DiskBoard, clock: FakeClock) -> None:
    newer = msgspec.msgpack.encode({"format": 2, "anything": True})
    board.put("now:!totals", newer, 60.0, new=True)
    one = Process(board, 1, clock)
    one.do(5)
    one.publisher.close()
    tidy(board, clock.wall())
    assert hits_on(board) == (5, 0, 1)
    assert {each.name: each.data for each in board.read("now:!totals")} == {"now:!totals": newer}


def test_law_11_processes_of_a_newer_release_are_left_to_it(
    board: DiskBoard, clock: FakeClock
) -> None:
    newer = msgspec.msgpack.encode({"format": 2, "anything": True})
    board.put(f"{PROCESS}host:8:1", newer, 60.0, new=True)
    one = Process(board, 1, clock)
    one.do(5)
    one.publisher.close()
    clock.advance(600)
    tidy(board, clock.wall())
    assert hits_on(board) == (5, 0, 1)
    assert [each.data for each in board.read(f"{PROCESS}host:8:1")] == [newer]
    assert read_board(board).unreadable == (f"{PROCESS}host:8:1",)


def test_law_11_a_process_that_is_gone_counts_once(board: DiskBoard, clock: FakeClock) -> None:
    one, two = Process(board, 1, clock), Process(board, 2, clock)
    one.do(5)
    two.do(7)
    one.publisher.publish(10.0)
    two.publisher.publish(1000.0)
    assert hits_on(board) == (12, 2, 0)
    clock.advance(11)
    assert hits_on(board) == (12, 1, 1)
    for _ in range(3):
        clock.advance(60)
        tidy(board, clock.wall())
        assert hits_on(board) == (12, 1, 1)
    two.publisher.close()
    assert hits_on(board) == (12, 0, 2)


@pytest.mark.proves("counting/process-once")
def test_law_11_a_process_that_was_frozen_goes_on_and_counts_once(
    board: DiskBoard, clock: FakeClock
) -> None:
    one = Process(board, 1, clock)
    one.do(5)
    one.publisher.publish(10.0)
    one.do(3)
    clock.advance(100)
    tidy(board, clock.wall())
    assert hits_on(board) == (5, 0, 1)
    one.publisher.publish(10.0)
    assert hits_on(board) == (8, 1, 1)
    one.do(1)
    one.publisher.close()
    assert hits_on(board) == (9, 0, 2)


@pytest.mark.proves("counting/publication-once")
def test_law_11_a_publication_of_which_nothing_is_known_does_not_count_twice(
    board: DiskBoard, clock: FakeClock
) -> None:
    lost = Answer(asked=True, done=False)
    one = Process(board, 1, clock)
    one.do(5)
    one.answers = [lost]
    one.publisher.publish(10.0)
    assert hits_on(board)[0] == 0
    one.publisher.publish(10.0)
    one.do(2)
    one.answers = [lost]
    one.publisher.publish(10.0)
    assert hits_on(board)[0] == 7
    clock.advance(100)
    tidy(board, clock.wall())
    one.do(1)
    one.publisher.publish(10.0)
    assert hits_on(board)[0] == 8


class Fleet(RuleBasedStateMachine):
    """Processes that work, publish, freeze, lose answers, end and are killed, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = FakeClock()
        self.board = DiskBoard(2.0, "disk")
        self.board.open(Path(self.folder.name) / "board.db", self.clock.wall)
        self.processes = [Process(self.board, number, self.clock) for number in range(3)]
        self.done = 0
        self.said = 0
        self.started = 3
        self.doubts = False
        """Whether an answer was lost: its counts may be missing then, but are never there twice."""

    @rule(which=st.integers(0, 2), hits=st.integers(1, 9))
    def work(self, which: int, hits: int) -> None:
        self.processes[which].do(hits)
        self.done += hits

    @rule(which=st.integers(0, 2), lifetime_s=st.sampled_from([10.0, 1000.0]))
    def publish(self, which: int, lifetime_s: float) -> None:
        self.processes[which].publisher.publish(lifetime_s)

    @rule(which=st.integers(0, 2), asked=st.booleans())
    def publish_in_vain(self, which: int, asked: bool) -> None:
        process = self.processes[which]
        self.doubts = self.doubts or asked
        process.answers = [Answer(asked=asked, done=False)]
        process.publisher.publish(10.0)
        process.answers = []

    @rule(seconds=st.sampled_from([1.0, 60.0, 2000.0]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def tidy(self) -> None:
        tidy(self.board, self.clock.wall())

    @rule(which=st.integers(0, 2))
    def end(self, which: int) -> None:
        self.processes[which].publisher.close()
        self.replace(which)

    @rule(which=st.integers(0, 2))
    def kill(self, which: int) -> None:
        process = self.processes[which]
        if process.outlet.said is not None or process.outlet.before is not None:
            before = process.outlet.said or process.outlet.before or CacheStats()
            self.done -= process.did.hits - before.hits
        else:
            self.done -= process.did.hits
        self.replace(which)

    def replace(self, which: int) -> None:
        self.processes[which] = Process(self.board, self.started, self.clock)
        self.started += 1

    @invariant()
    def nothing_is_counted_twice_and_nothing_is_lost_that_was_said(self) -> None:
        found = read_board(self.board).stats().hits
        assert found >= self.said
        assert found <= self.done
        self.said = found

    def teardown(self) -> None:
        for process in self.processes:
            process.publisher.close()
        found = read_board(self.board).stats().hits
        self.board.close()
        self.folder.cleanup()
        assert found <= self.done
        assert found == self.done or self.doubts


TestLaw11Fleet = Fleet.TestCase
TestLaw11Fleet.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def test_a_board_that_is_not_asked_costs_nothing(board: DiskBoard, clock: FakeClock) -> None:
    one = Process(board, 1, clock)
    one.do(5)
    one.answers = [Answer(asked=False, done=False)]
    one.publisher.publish(10.0)
    one.do(2)
    one.publisher.publish(10.0)
    assert hits_on(board) == (7, 1, 0)


def test_a_process_that_did_nothing_leaves_nothing(board: DiskBoard, clock: FakeClock) -> None:
    Process(board, 1, clock).publisher.close()
    assert list(board.names("")) == []


def test_an_ended_process_holds_no_entries_and_no_queue() -> None:
    stats = replace(snapshot(5), queue_depth=3, journal_bytes=9, staleness_bound_s=2.0)
    rest = at_rest(stats)
    assert (rest.queue_depth, rest.journal_bytes, rest.processes) == (0, 0, 0)
    assert rest.tier("disk").entries is None
    assert rest.hits == stats.hits


@pytest.mark.proves("counting/windows")
def test_a_window_ends_now_and_begins_with_a_moment(tmp_path: Path, namespace: str) -> None:
    clock = FakeClock(start_wall=time.time())
    with TieredCache([MemoryTier(), DiskTier(tmp_path)], namespace=namespace, clock=clock) as cache:
        core = cache._source.core()
        publisher = core._publisher
        cache.set("key", 1)
        for _ in range(4):
            for _ in range(10):
                cache.get("key")
            publisher.publish(10_000.0)
            publisher._tidy()
            clock.advance(300)
        assert cache.fleet().stats.hits == 40
        fleet = cache.fleet("10m")
        assert fleet.stats.hits == 10
        assert fleet.span_s == pytest.approx(600)
        assert cache.fleet("1d").stats.hits == 40
        assert cache.fleet("1d").span_s is None


def test_a_cache_without_a_shared_tier_speaks_for_itself() -> None:
    with TieredCache([MemoryTier()]) as cache:
        cache.get("key")
        fleet = cache.fleet()
        assert (fleet.reach, fleet.stats.misses, fleet.processes) == ("process", 1, ())


def test_a_fleet_prints_as_its_processes_and_the_table_of_its_numbers() -> None:
    stats = CacheStats(hits=3, misses=1, tiers=(TierStats("memory", hits=3, misses=1),))
    own = report(1, stats)
    whole = FleetStats(stats, None, (own,), 2, 0, "cluster", 5.0)
    assert str(whole) == f"reach cluster: 1 running, 2 ended\n{stats}"
    recent = replace(whole, span_s=600.0, processes=())
    assert str(recent).splitlines()[0] == "reach cluster: 0 running, 2 ended, last 10 min"


def test_off_publishes_nothing(tmp_path: Path) -> None:
    with TieredCache([DiskTier(tmp_path)], statistics=Off()) as cache:
        cache.get("key")
    assert not (tmp_path / ".statistics").exists()


def test_the_fleet_of_all_hosts_is_read_from_redis(
    redis_url: str, tmp_path: Path, namespace: str
) -> None:
    def host(number: int) -> TieredCache:
        tiers: list[Tier[Any]] = [
            MemoryTier(),
            DiskTier(tmp_path / str(number)),
            patient_redis(redis_url),
        ]
        return TieredCache(tiers, namespace=namespace, statistics=Histograms())

    with host(1) as here, host(2) as there:
        here.set("key", 1)
        for cache in (here, there):
            cache.get("key")
            cache._source.core()._publisher.publish(60.0)
        fleet = here.fleet()
        assert (fleet.reach, fleet.stats.hits, fleet.stats.processes) == ("cluster", 2, 2)
        assert fleet.stats.tier("redis").lookups == 1
        fleet = here.fleet(within="host")
        assert (fleet.reach, fleet.stats.hits, len(fleet.processes)) == ("host", 1, 1)
    with host(3) as later:
        fleet = later.fleet()
        assert (fleet.stats.hits, fleet.gone, fleet.processes) == (2, 2, ())


def test_where_redis_is_away_the_fleet_is_that_of_the_host(
    redis_url: str, chaos_proxy: Callable[[str], ChaosProxy], tmp_path: Path, namespace: str
) -> None:
    proxy = chaos_proxy(redis_url)
    tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(tmp_path), patient_redis(proxy.url)]
    with TieredCache(tiers, namespace=namespace, failures_to_open=1) as cache:
        cache.set("key", 1)
        proxy.refuse()
        assert cache.fleet().reach == "host"
        changes = cache.stats().tier("redis").breaker_changes
        assert [each.state for each in changes] == ["open"]
