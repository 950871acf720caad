"""One computation for all threads that ask together (law 2)."""

from __future__ import annotations

import random
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.background import wait_until_refreshed
from tests.waiting import random_pause
from tiered_cache import (
    ComputationTimeoutError,
    ConfigurationError,
    InvalidDurationError,
    MemoryTier,
    SingleFlight,
    TieredCache,
)
from tiered_cache._engine.state.flights import Flight, Flights
from tiered_cache.testing import FakeClock, in_forked_child, race

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

WAIT_S = 30


class Watched(Flights):
    """Flights that count in `boarded` the callers that have found theirs."""

    def __init__(self) -> None:
        super().__init__()
        self.boarded = threading.Semaphore(0)

    def board(self, key: str) -> tuple[Flight | None, bool]:
        found = super().board(key)
        self.boarded.release()
        return found

    def wait_for(self, callers: int) -> None:
        for _ in range(callers):
            assert self.boarded.acquire(timeout=WAIT_S)


def watched(cache: TieredCache) -> Watched:
    flights = cache._source.core().stack.flights = Watched()
    return flights


@pytest.fixture
def cache() -> Iterator[TieredCache]:
    with TieredCache([MemoryTier()]) as made:
        yield made


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(100) as made:
        yield made


class Gated:
    """A function that counts its calls and waits for `go` before it returns."""

    def __init__(self, result: Any = "value") -> None:
        self.calls = 0
        self.began = threading.Event()
        self.go = threading.Event()
        self.result = result

    def __call__(self) -> Any:
        self.calls += 1
        self.began.set()
        assert self.go.wait(WAIT_S)
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result


def together(
    cache: TieredCache, pool: ThreadPoolExecutor, compute: Gated, callers: int
) -> list[Future[Any]]:
    """`callers` callers of one key that have all found its flight; the first is the leader."""
    flights = watched(cache)
    futures = [pool.submit(cache.get_or_compute, "key", compute) for _ in range(callers)]
    flights.wait_for(callers)
    return futures


@pytest.mark.proves("law-2/threads")
def test_law_2_64_threads_compute_once(cache: TieredCache, pool: ThreadPoolExecutor) -> None:
    compute = Gated(["a", "value"])
    futures = together(cache, pool, compute, 64)
    compute.go.set()
    results = [future.result(WAIT_S) for future in futures]
    assert compute.calls == 1
    assert all(result is results[0] for result in results)
    stats = cache.stats()
    assert (stats.misses, stats.coalesced, stats.computes) == (64, 63, 1)


@pytest.mark.proves("law-2/threads")
@pytest.mark.exhaustive
def test_law_2_64_threads_compute_once_in_a_thousand_rounds(cache: TieredCache) -> None:
    rounds = 1000
    calls = [0] * rounds
    barrier = threading.Barrier(64)

    def work(number: int) -> None:
        dice = random.Random(number)
        for turn in range(rounds):

            def compute(turn: int = turn) -> int:
                calls[turn] += 1
                random_pause(dice, 0.004)
                return turn

            barrier.wait(WAIT_S)
            if dice.random() < 0.5:
                random_pause(dice, 0.004)
            assert cache.get_or_compute(str(turn), compute) == turn

    race(64, work, timeout_s=500)
    assert calls == [1] * rounds


@pytest.mark.proves("law-2/leader-raises")
def test_law_2_an_exception_of_the_leader_reaches_every_waiter(
    cache: TieredCache, pool: ThreadPoolExecutor
) -> None:
    error = ValueError("broken")
    compute = Gated(error)
    futures = together(cache, pool, compute, 8)
    compute.go.set()
    assert [future.exception(WAIT_S) for future in futures] == [error] * 8
    assert compute.calls == 1
    assert cache.get_or_compute("key", lambda: "again") == "again"


@pytest.mark.proves("law-1/single-use-values")
def test_single_use_values_are_not_shared(cache: TieredCache, pool: ThreadPoolExecutor) -> None:
    compute = Gated()
    numbers = iter(range(4))

    def generate() -> Iterator[int]:
        compute()
        number = next(numbers)
        return (each for each in [number])

    flights = watched(cache)
    futures = [pool.submit(cache.get_or_compute, "key", generate) for _ in range(4)]
    flights.wait_for(4)
    compute.go.set()
    assert sorted([list(future.result(WAIT_S)) for future in futures]) == [[0], [1], [2], [3]]


@pytest.mark.proves("law-2/leader-replaced")
def test_an_interrupted_leader_is_replaced(cache: TieredCache, pool: ThreadPoolExecutor) -> None:
    flights = watched(cache)
    interrupted = Gated(KeyboardInterrupt())
    leader = pool.submit(cache.get_or_compute, "key", interrupted)
    flights.wait_for(1)
    waiters = [pool.submit(cache.get_or_compute, "key", lambda: "value") for _ in range(4)]
    flights.wait_for(4)
    interrupted.go.set()
    assert [each.result(WAIT_S) for each in waiters] == ["value"] * 4
    assert isinstance(leader.exception(WAIT_S), KeyboardInterrupt)
    assert cache.stats().computes == 1


@pytest.mark.proves("law-2/leader-looks-again")
def test_a_caller_that_looked_before_a_flight_and_boarded_after_it_computes_nothing(
    cache: TieredCache, pool: ThreadPoolExecutor
) -> None:
    looked, go = threading.Event(), threading.Event()

    class Late(Flights):
        def board(self, key: str) -> tuple[Flight | None, bool]:
            looked.set()
            assert go.wait(WAIT_S)
            return super().board(key)

    stack = cache._source.core().stack
    on_time, stack.flights = stack.flights, Late()
    stack.flights.ends = on_time.ends
    late = pool.submit(cache.get_or_compute, "key", lambda: "computed twice")
    late_many = pool.submit(
        cache.get_or_compute_many, ["key"], lambda keys: dict.fromkeys(keys, "computed twice")
    )
    assert looked.wait(WAIT_S)
    stack.flights._under_way = on_time._under_way
    late_flights, stack.flights = stack.flights, on_time
    assert cache.get_or_compute("key", lambda: "value") == "value"
    stack.flights = late_flights
    go.set()
    assert late.result(WAIT_S) == "value"
    assert late_many.result(WAIT_S) == {"key": "value"}


@pytest.mark.proves("law-2/own-key")
def test_a_computation_that_asks_for_its_own_key_computes_as_the_function_would(
    cache: TieredCache,
) -> None:
    def countdown(number: int) -> int:
        if number == 0:
            return 0
        return 1 + cache.get_or_compute("key", lambda: countdown(number - 1))

    assert cache.get_or_compute("key", lambda: countdown(5)) == 5


def test_a_computation_that_asks_for_its_own_key_among_many_computes_it(cache: TieredCache) -> None:
    def compute(keys: Sequence[str]) -> dict[str, str]:
        if len(keys) == 1:
            return {keys[0]: "inner"}
        inner = cache.get_or_compute_many(["a"], compute)
        return dict.fromkeys(keys, inner["a"])

    assert cache.get_or_compute_many(["a", "b"], compute) == {"a": "inner", "b": "inner"}


@pytest.mark.proves("law-2/each-others-keys")
@pytest.mark.parametrize("circle", [2, 3, 7])
def test_computations_that_ask_for_each_others_keys_do_not_wait_for_ever(circle: int) -> None:
    """Over several caches: each thread leads a key of its own, and asks for the next one's."""
    caches = [TieredCache([MemoryTier()]) for _ in range(circle)]
    under_way = threading.Barrier(circle)

    def work(number: int) -> str:
        after = (number + 1) % circle

        def compute() -> str:
            under_way.wait(WAIT_S)
            return caches[after].get_or_compute(f"key {after}", lambda: "direct")

        return caches[number].get_or_compute(f"key {number}", compute)

    assert race(circle, work, timeout_s=WAIT_S) == ["direct"] * circle
    computes = [cache.stats().computes for cache in caches]
    assert sum(computes) == circle + 1
    for cache in caches:
        cache.close()


@pytest.mark.proves("law-2/not-foreign-threads")
def test_a_thread_of_the_computation_that_has_its_context_is_part_of_it(cache: TieredCache) -> None:
    import contextvars

    def compute() -> str:
        context = contextvars.copy_context()
        with ThreadPoolExecutor(1) as pool:
            ask = cache.get_or_compute
            return pool.submit(context.run, ask, "key", lambda: "inner").result(WAIT_S)

    assert cache.get_or_compute("key", compute) == "inner"


@pytest.mark.proves("law-2/wait-timeout")
def test_waiting_ends_after_the_timeout(pool: ThreadPoolExecutor) -> None:
    with TieredCache([MemoryTier()], single_flight=SingleFlight(timeout="10ms")) as cache:
        slow = Gated("slow")
        leader = pool.submit(cache.get_or_compute, "key", slow)
        assert slow.began.wait(WAIT_S)
        assert cache.get_or_compute("key", lambda: "quick") == "quick"
        assert cache.get_or_compute_many(
            ["new", "other"], lambda keys: dict.fromkeys(keys, "quick")
        ) == {"new": "quick", "other": "quick"}
        slow.go.set()
        assert leader.result(WAIT_S) == "slow"


def test_many_keys_end_waiting_after_the_timeout_as_well(pool: ThreadPoolExecutor) -> None:
    with TieredCache([MemoryTier()], single_flight=SingleFlight(timeout="10ms")) as cache:
        slow = Gated("slow")
        leader = pool.submit(cache.get_or_compute, "key", slow)
        assert slow.began.wait(WAIT_S)
        asked: list[list[str]] = []

        def compute(keys: Sequence[str]) -> dict[str, str]:
            asked.append(list(keys))
            return dict.fromkeys(keys, "quick")

        values = cache.get_or_compute_many(["key", "other"], compute)
        assert values == {"key": "quick", "other": "quick"}
        assert asked == [["other"], ["key"]]
        slow.go.set()
        assert leader.result(WAIT_S) == "slow"


@pytest.mark.proves("law-2/wait-timeout")
def test_waiting_may_end_with_an_error(pool: ThreadPoolExecutor) -> None:
    patience = SingleFlight(timeout="10ms", on_timeout="raise")
    with TieredCache([MemoryTier()], single_flight=patience) as cache:
        slow = Gated()
        leader = pool.submit(cache.get_or_compute, "key", slow)
        assert slow.began.wait(WAIT_S)
        with pytest.raises(ComputationTimeoutError, match=r"0\.01 s.*key='key'"):
            cache.get_or_compute("key", lambda: "quick")
        with pytest.raises(ComputationTimeoutError, match=r"0\.01 s.*key='key'"):
            cache.get_or_compute_many(["key"], lambda keys: dict.fromkeys(keys, "quick"))
        slow.go.set()
        assert leader.result(WAIT_S) == "value"


@pytest.mark.proves("law-2/wait-timeout")
def test_waiting_may_end_with_the_stale_value(pool: ThreadPoolExecutor) -> None:
    clock = FakeClock()
    patience = SingleFlight(timeout="10ms", on_timeout="stale")
    with TieredCache(
        [MemoryTier()], single_flight=patience, default_ttl="10s", stale_for="60s", clock=clock
    ) as cache:
        cache.set("key", "old")
        clock.advance(20)
        slow = Gated("new")
        leader = pool.submit(cache.get_or_compute, "key", slow)
        assert slow.began.wait(WAIT_S)
        assert cache.get_or_compute("key", lambda: "quick") == "old"
        slow.go.set()
        assert leader.result(WAIT_S) == "new"
        assert cache.get_or_compute("key", lambda: "quick") == "new"
        unknown = Gated("unknown")
        leader = pool.submit(cache.get_or_compute, "never seen", unknown)
        assert unknown.began.wait(WAIT_S)
        assert cache.get_or_compute("never seen", lambda: "quick") == "quick"
        unknown.go.set()
        assert leader.result(WAIT_S) == "unknown"


@pytest.mark.proves("law-2/after-a-change")
@pytest.mark.parametrize(
    "change",
    [
        lambda cache: cache.delete("key"),
        lambda cache: cache.delete_many(["key"]),
        lambda cache: cache.clear(),
    ],
)
def test_law_4_callers_after_a_change_get_no_earlier_computation(
    change: Callable[[TieredCache], object], cache: TieredCache, pool: ThreadPoolExecutor
) -> None:
    before = Gated("before")
    early = together(cache, pool, before, 2)
    change(cache)
    assert cache.get_or_compute("key", lambda: "after") == "after"
    before.go.set()
    assert [each.result(WAIT_S) for each in early] == ["before"] * 2
    assert cache.get("key") == "after"


def test_law_4_later_callers_do_not_join_a_computation_older_than_a_set(
    cache: TieredCache, pool: ThreadPoolExecutor
) -> None:
    before = Gated("before")
    [early] = together(cache, pool, before, 1)
    cache.set("key", "set", ttl="1h")
    cache.delete("key")
    assert cache.get_or_compute("key", lambda: "after") == "after"
    before.go.set()
    assert early.result(WAIT_S) == "before"
    assert cache.get("key") == "after"


@pytest.mark.proves("law-2/many-keys")
def test_each_of_many_keys_is_computed_by_one_of_its_callers(
    cache: TieredCache, pool: ThreadPoolExecutor
) -> None:
    flights = watched(cache)
    gates = {name: threading.Event() for name in ("first", "second")}
    asked: dict[str, list[str]] = {}

    def compute(name: str) -> Callable[[Sequence[str]], dict[str, str]]:
        def many(keys: Sequence[str]) -> dict[str, str]:
            asked[name] = list(keys)
            assert gates[name].wait(WAIT_S)
            return dict.fromkeys(keys, name)

        return many

    first = pool.submit(cache.get_or_compute_many, ["a", "b"], compute("first"))
    flights.wait_for(2)
    second = pool.submit(cache.get_or_compute_many, ["c", "b", "a"], compute("second"))
    flights.wait_for(3)
    gates["second"].set()
    third = pool.submit(cache.get_or_compute, "a", lambda: "third")
    flights.wait_for(1)
    gates["first"].set()
    assert first.result(WAIT_S) == {"a": "first", "b": "first"}
    assert second.result(WAIT_S) == {"c": "second", "b": "first", "a": "first"}
    assert third.result(WAIT_S) == "first"
    assert asked == {"first": ["a", "b"], "second": ["c"]}


def test_a_key_that_one_leaves_out_is_computed_by_the_next(
    cache: TieredCache, pool: ThreadPoolExecutor
) -> None:
    flights = watched(cache)
    go = threading.Event()

    def nothing(_: Sequence[str]) -> dict[str, str]:
        assert go.wait(WAIT_S)
        return {}

    first = pool.submit(cache.get_or_compute_many, ["key"], nothing)
    flights.wait_for(1)
    second = pool.submit(cache.get_or_compute, "key", lambda: "value")
    flights.wait_for(1)
    go.set()
    assert first.result(WAIT_S) == {}
    assert second.result(WAIT_S) == "value"


@pytest.mark.proves("law-2/unstored-shared")
def test_an_exception_of_a_computation_of_many_reaches_all_waiters(
    cache: TieredCache, pool: ThreadPoolExecutor
) -> None:
    flights = watched(cache)
    go = threading.Event()
    error = ValueError("broken")

    def broken(_: Sequence[str]) -> dict[str, str]:
        assert go.wait(WAIT_S)
        raise error

    futures: list[Future[Any]] = [pool.submit(cache.get_or_compute_many, ["a", "b"], broken)]
    flights.wait_for(2)
    futures.append(pool.submit(cache.get_or_compute, "a", lambda: "value"))
    futures.append(pool.submit(cache.get_or_compute_many, ["b"], broken))
    flights.wait_for(2)
    go.set()
    assert [each.exception(WAIT_S) for each in futures] == [error] * 3


def test_copies_are_handed_out_to_waiters_as_well(pool: ThreadPoolExecutor) -> None:
    with TieredCache([MemoryTier(copy="deep")]) as cache:
        compute = Gated(["a", "list"])
        futures = together(cache, pool, compute, 4)
        compute.go.set()
        results = [future.result(WAIT_S) for future in futures]
        assert results == [["a", "list"]] * 4
        assert len({id(result) for result in results}) == 4


@pytest.mark.proves("law-2/unstored-shared")
def test_a_value_that_is_not_stored_is_shared_with_the_waiters(
    cache: TieredCache, pool: ThreadPoolExecutor
) -> None:
    from tiered_cache import current

    compute = Gated("value")

    def skipping() -> Any:
        current().skip()
        return compute()

    flights = watched(cache)
    futures = [pool.submit(cache.get_or_compute, "key", skipping) for _ in range(4)]
    flights.wait_for(4)
    compute.go.set()
    assert [future.result(WAIT_S) for future in futures] == ["value"] * 4
    assert compute.calls == 1
    assert not cache.exists("key")


@pytest.mark.proves("law-2/forked-child")
def test_a_forked_child_does_not_wait_for_its_parents_threads(
    cache: TieredCache, pool: ThreadPoolExecutor
) -> None:
    compute = Gated("parent")
    future = pool.submit(cache.get_or_compute, "key", compute)
    assert compute.began.wait(WAIT_S)
    assert in_forked_child(lambda: cache.get_or_compute("key", lambda: "child")) == "child"
    compute.go.set()
    assert future.result(WAIT_S) == "parent"


def test_a_refresh_and_callers_that_miss_share_a_computation(
    pool: ThreadPoolExecutor,
) -> None:
    clock = FakeClock()
    with TieredCache([MemoryTier()], clock=clock, default_ttl="10s", stale_for="10s") as cache:
        cache.set("key", "old")
        clock.advance(15)
        flights = watched(cache)
        refresh = Gated("new")
        assert cache.get_or_compute("key", refresh) == "old"
        assert refresh.began.wait(WAIT_S)
        flights.wait_for(1)
        clock.advance(15)
        late = pool.submit(cache.get_or_compute, "key", lambda: "computed twice")
        flights.wait_for(1)
        refresh.go.set()
        assert late.result(WAIT_S) == "new"


def test_a_refresh_is_skipped_while_a_leader_computes(
    pool: ThreadPoolExecutor,
) -> None:
    clock = FakeClock()
    with TieredCache([MemoryTier()], clock=clock, default_ttl="10s", stale_for="10s") as cache:
        compute = Gated("new")
        [future] = together(cache, pool, compute, 1)
        stack = cache._source.core().stack
        before = stack.flights
        stack.flights = Flights()  # as of a process that has written an older value meanwhile
        cache.set("key", "old")
        stack.flights = before
        clock.advance(15)
        assert cache.get_or_compute("key", lambda: "computed twice") == "old"
        wait_until_refreshed(cache)
        assert cache.lookup("key").value == "old"
        compute.go.set()
        assert future.result(WAIT_S) == "new"


def test_mistakes_are_named() -> None:
    with pytest.raises(ConfigurationError, match="'compute', 'stale', 'raise'"):
        SingleFlight(on_timeout="wait")
    with pytest.raises(InvalidDurationError, match="timeout"):
        SingleFlight(timeout=-1)
    with pytest.raises(ConfigurationError, match="'thread', 'host', 'cluster'"):
        SingleFlight(scope="world")
    with pytest.raises(ConfigurationError, match="at least 10 ms"):
        SingleFlight(lease="1ms")
    shown = "SingleFlight(scope='host', lease=10, timeout=60.0, on_timeout='compute')"
    assert repr(SingleFlight(scope="host", timeout="1m")) == shown
