"""Values that are refreshed before their end, served past it, or renewed by use."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.background import wait_until_idle, wait_until_refreshed
from tiered_cache import AsyncTieredCache, Coherence, DiskTier, MemoryTier, TieredCache
from tiered_cache._engine.effects import Refresh
from tiered_cache._engine.plans.refresh import refresh
from tiered_cache._engine.terms import Terms, Work
from tiered_cache._engine.workers import change_follower as following
from tiered_cache._engine.workers.refresher import Refresher
from tiered_cache.contracts import Put
from tiered_cache.policies import EarlyRefresh, Hit, HitAction, RefreshAhead, Sliding
from tiered_cache.results import LookupStatus
from tiered_cache.testing import FakeClock, in_forked_child
from tiered_cache.testing.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tiered_cache._engine.state.flights import Flight
    from tiered_cache.contracts import Tier


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


class Counting:
    """A function that returns how often it was called; may be told to raise or to wait."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self) -> int:
        self.calls += 1
        called = self.calls
        assert self.gate.wait(30)
        if self.error is not None:
            raise self.error
        return called


def settle(cache: TieredCache) -> None:
    """Wait for the refreshes in the background."""
    wait_until_refreshed(cache)


@pytest.fixture
def serving_stale(tmp_path: Path, clock: FakeClock) -> Iterator[TieredCache]:
    tiers: list[Tier[Any]] = [MemoryTier(), MemoryTier(name="below")]
    with TieredCache(tiers, clock=clock, default_ttl="10s", stale_for="60s") as cache:
        yield cache


@pytest.mark.proves("reading/stale-hit-below")
def test_a_stale_value_is_served_while_it_is_recomputed(
    serving_stale: TieredCache, clock: FakeClock
) -> None:
    compute = Counting()
    assert serving_stale.get_or_compute("key", compute) == 1
    clock.advance(11)
    compute.gate.clear()
    assert serving_stale.get_or_compute("key", compute) == 1
    assert serving_stale.get_or_compute("key", compute) == 1, "one refresh at a time"
    compute.gate.set()
    settle(serving_stale)
    assert compute.calls == 2
    assert serving_stale.get("key") == 2
    assert [each.present for each in serving_stale.explain("key")] == [True, True]
    stats = serving_stale.stats()
    assert (stats.hits, stats.stale_hits, stats.misses) == (1, 2, 1)


def test_past_its_grace_a_value_is_gone(serving_stale: TieredCache, clock: FakeClock) -> None:
    compute = Counting()
    serving_stale.get_or_compute("key", compute)
    clock.advance(71)
    assert serving_stale.lookup("key").status is LookupStatus.MISS
    assert serving_stale.get_or_compute("key", compute) == 2


def test_get_does_not_serve_a_stale_value_and_lookup_reports_it(
    serving_stale: TieredCache, clock: FakeClock
) -> None:
    serving_stale.set("key", "old")
    clock.advance(11)
    assert serving_stale.get("key") is None
    found = serving_stale.lookup("key")
    assert (found.status, found.value, found.remaining_s) == (LookupStatus.STALE, "old", 0.0)


@pytest.mark.proves("expiry/refresh-raises")
def test_when_computing_fails_the_stale_value_stays(
    serving_stale: TieredCache, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    compute = Counting()
    serving_stale.get_or_compute("key", compute)
    clock.advance(11)
    compute.error = RuntimeError("a secret")
    for _ in range(2):
        assert serving_stale.get_or_compute("key", compute) == 1
        settle(serving_stale)
    assert serving_stale.stats().compute_errors == 2
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.proves("expiry/refresh-overtaken")
def test_law_4_a_refresh_does_not_overwrite_a_set_made_meanwhile(
    serving_stale: TieredCache, clock: FakeClock
) -> None:
    compute = Counting()
    serving_stale.get_or_compute("key", compute)
    clock.advance(11)
    compute.gate.clear()
    serving_stale.get_or_compute("key", compute)
    serving_stale.set("key", "set meanwhile")
    compute.gate.set()
    settle(serving_stale)
    assert serving_stale.get("key") == "set meanwhile"


@pytest.mark.proves("expiry/refresh-by-another")
def test_a_refresh_takes_the_value_of_another_process(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if the other one's change were under way to here all the time.
    monkeypatch.setattr(following, "_FIRST_TRUST_S", 60.0)

    def make() -> TieredCache:
        return TieredCache(
            [MemoryTier(), DiskTier(tmp_path)],
            clock=clock,
            default_ttl="10s",
            stale_for="60s",
            coherence=Coherence(bound="1m"),
        )

    with make() as cache, make() as other:
        compute = Counting()
        cache.get_or_compute("key", compute)
        clock.advance(11)
        other.set("key", "newer")
        assert cache.get_or_compute("key", compute) == 1
        settle(cache)
        assert compute.calls == 1
        assert cache.get("key") == "newer"


@pytest.mark.proves("reading/stale-hit-below")
def test_a_cache_that_serves_nothing_stale_computes_and_fills_every_tier(
    clock: FakeClock,
) -> None:
    below = MemoryTier(name="below")
    with TieredCache([below], clock=clock, default_ttl="10s", stale_for="60s") as writer:
        writer.set("key", "old")
        core = writer._source.core()
        clock.advance(11)
        found = below.get("key")
        with TieredCache([MemoryTier(), MemoryTier(name="own")], clock=clock) as cache:
            own = cache._source.core().stack.levels[1].tier
            own.put("key", Put(found.item, 59.0))  # type: ignore[union-attr] # it is there
            compute = Counting()
            assert cache.get_or_compute("key", compute) == 1
            assert [each.present for each in cache.explain("key")] == [True, True]
            assert cache.get_or_compute_many(["key"], lambda _: {}) == {"key": 1}
    assert core is not None


class CountingMany(Counting):
    """Gives each key the number of calls so far, and records the keys of each call."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[str]] = []

    def of(self, keys: Sequence[str]) -> dict[str, int]:
        self.asked.append(sorted(keys))
        return dict.fromkeys(keys, self())


@pytest.mark.proves("expiry/many")
def test_many_stale_values_are_served_while_one_call_recomputes_them(
    serving_stale: TieredCache, clock: FakeClock
) -> None:
    compute = CountingMany()
    assert serving_stale.get_or_compute_many(["a", "b"], compute.of) == {"a": 1, "b": 1}
    clock.advance(11)
    values = serving_stale.get_or_compute_many(["a", "b", "c"], lambda keys: dict.fromkeys(keys, 7))
    assert values == {"a": 1, "b": 1, "c": 7}
    settle(serving_stale)
    assert serving_stale.get_many(["a", "b", "c"]) == {"a": 7, "b": 7, "c": 7}
    clock.advance(11)
    assert serving_stale.get_or_compute_many(["a", "b"], compute.of) == {"a": 7, "b": 7}
    settle(serving_stale)
    assert compute.asked == [["a", "b"], ["a", "b"]]
    stats = serving_stale.stats()
    assert (stats.stale_hits, stats.computes) == (4, 4)


@pytest.mark.proves("expiry/refresh-raises")
def test_when_computing_many_fails_the_stale_values_stay(
    serving_stale: TieredCache, clock: FakeClock
) -> None:
    compute = CountingMany()
    serving_stale.get_or_compute_many(["a", "b"], compute.of)
    clock.advance(11)
    compute.error = RuntimeError()
    assert serving_stale.get_or_compute_many(["a", "b"], compute.of) == {"a": 1, "b": 1}
    settle(serving_stale)
    assert serving_stale.stats().compute_errors == 1
    compute.error = None
    assert serving_stale.get_or_compute_many(["a"], lambda _: {}) == {"a": 1}
    settle(serving_stale)
    assert serving_stale.lookup("a").value == 1, "a key that is left out keeps its value"


@pytest.mark.proves("expiry/many")
def test_law_4_a_refresh_of_many_does_not_overwrite_a_set_made_meanwhile(
    serving_stale: TieredCache, clock: FakeClock
) -> None:
    compute = CountingMany()
    serving_stale.get_or_compute_many(["a", "b"], compute.of)
    clock.advance(11)
    compute.gate.clear()
    serving_stale.get_or_compute_many(["a", "b"], compute.of)
    serving_stale.set("a", "set meanwhile")
    compute.gate.set()
    settle(serving_stale)
    assert serving_stale.get_many(["a", "b"]) == {"a": "set meanwhile", "b": 2}


@pytest.mark.proves("expiry/many")
def test_one_refresh_of_a_key_at_a_time_however_it_is_asked_for(
    serving_stale: TieredCache, clock: FakeClock
) -> None:
    compute = CountingMany()
    serving_stale.get_or_compute_many(["a", "b"], compute.of)
    clock.advance(11)
    compute.gate.clear()
    assert serving_stale.get_or_compute("a", compute) == 1
    assert serving_stale.get_or_compute_many(["a", "b"], compute.of) == {"a": 1, "b": 1}
    assert serving_stale.get_or_compute_many(["a", "b"], compute.of) == {"a": 1, "b": 1}
    compute.gate.set()
    settle(serving_stale)
    assert compute.asked == [["a", "b"], ["b"]]
    assert compute.calls == 3


@pytest.mark.proves("expiry/many")
def test_many_hits_near_their_end_are_refreshed_ahead(clock: FakeClock) -> None:
    compute = CountingMany()
    with TieredCache([MemoryTier()], clock=clock, refreshing=RefreshAhead(0.8)) as cache:
        cache.get_or_compute_many(["a", "b"], compute.of, ttl="10s")
        clock.advance(5)
        cache.get_or_compute_many(["a", "b"], compute.of, ttl="10s")
        settle(cache)
        assert compute.calls == 1
        clock.advance(4)
        assert cache.get_or_compute_many(["a", "b"], compute.of, ttl="10s") == {"a": 1, "b": 1}
        settle(cache)
        assert compute.asked == [["a", "b"], ["a", "b"]]
        assert cache.get_many(["a", "b"]) == {"a": 2, "b": 2}


@pytest.mark.proves("expiry/many")
def test_many_hits_renew_sliding_lifetimes(clock: FakeClock) -> None:
    with TieredCache([MemoryTier()], clock=clock, refreshing=Sliding("10s")) as cache:
        cache.set_many({"a": 1, "b": 2}, ttl="10s")
        for _ in range(5):
            clock.advance(8)
            assert cache.get_or_compute_many(["a", "b"], lambda _: {}) == {"a": 1, "b": 2}


def ages(cache: TieredCache, clock: FakeClock, compute: Callable[[], Any], steps: int) -> list[Any]:
    """The values that a hit gets, one each second."""
    seen = []
    for _ in range(steps):
        seen.append(cache.get_or_compute("key", compute, ttl="10s"))
        settle(cache)
        clock.advance(1)
    return seen


@pytest.mark.proves("expiry/refresh-ahead")
def test_refresh_ahead_computes_in_the_last_part_of_the_lifetime(clock: FakeClock) -> None:
    with TieredCache([MemoryTier()], clock=clock, refreshing=RefreshAhead(0.75)) as cache:
        compute = Counting()
        assert ages(cache, clock, compute, 20) == [1] * 9 + [2] * 8 + [3] * 3
        assert cache.stats().misses == 1


@pytest.mark.proves("expiry/early-refresh")
def test_early_refresh_computes_when_chance_says_so(clock: FakeClock) -> None:
    chances = iter([0.0] * 3 + [1 - 1e-9] + [0.0] * 100)
    policy = EarlyRefresh(beta=1e6, random=lambda: next(chances))
    with TieredCache([MemoryTier()], clock=clock, refreshing=policy) as cache:
        assert ages(cache, clock, Counting(), 7) == [1] * 5 + [2] * 2


@pytest.mark.proves("expiry/sliding")
def test_sliding_lets_a_value_live_as_long_as_it_is_used(clock: FakeClock) -> None:
    tiers: list[Tier[Any]] = [MemoryTier(), MemoryTier(name="below")]
    with TieredCache(tiers, clock=clock, refreshing=Sliding("10s")) as cache:
        compute = Counting()
        assert ages(cache, clock, compute, 30) == [1] * 30
        writes = cache.stats().tiers[1].writes
        assert 10 <= writes <= 20, (
            "a hit within an eighth of the time after the last writes nothing"
        )
        clock.advance(7)
        assert cache.get_or_compute("key", compute, ttl="10s") == 1
        clock.advance(10.1)
        assert cache.get_or_compute("key", compute, ttl="10s") == 2


@pytest.mark.proves("expiry/outside-window")
def test_outside_of_the_window_hits_are_inlined(clock: FakeClock) -> None:
    asked = []

    class Nosy:
        def window_s(self, lifetime_s: float, cost_s: float) -> float:
            return 4.0

        def on_hit(self, hit: Hit) -> HitAction:
            asked.append(round(hit.remaining_s))
            return HitAction()

    with TieredCache([MemoryTier()], clock=clock, refreshing=Nosy()) as cache:
        assert ages(cache, clock, Counting(), 10) == [1] * 10
        assert asked == [4, 3, 2, 1]
        assert cache.stats().tiers[0].hits == 9


def test_law_1_a_refresh_policy_that_raises_is_not_heard(clock: FakeClock) -> None:
    class Broken:
        def window_s(self, lifetime_s: float, cost_s: float) -> float:
            return lifetime_s

        def on_hit(self, hit: Hit) -> HitAction:
            raise RuntimeError

    with TieredCache([MemoryTier()], clock=clock, refreshing=Broken()) as cache:
        assert ages(cache, clock, Counting(), 9) == [1] * 9


@pytest.mark.proves("expiry/early-refresh")
@pytest.mark.parametrize(
    ("policy", "quiet", "refreshing"),
    [
        (RefreshAhead(0.75), Hit("k", 7.4, 2.6, 1.0), Hit("k", 7.5, 2.5, 1.0)),
        (EarlyRefresh(random=lambda: 0.5), Hit("k", 0, 0.7, 1.0), Hit("k", 0, 0.69, 1.0)),
        (EarlyRefresh(2.0, random=lambda: 0.5), Hit("k", 0, 1.4, 1.0), Hit("k", 0, 1.38, 1.0)),
        (EarlyRefresh(random=lambda: 0.0), Hit("k", 0, 1e-9, 1.0), Hit("k", 0, 0.0, 1.0)),
    ],
)
def test_refresh_policies_decide_on_a_hit(policy: Any, quiet: Hit, refreshing: Hit) -> None:
    assert policy.on_hit(quiet) == HitAction()
    assert policy.on_hit(refreshing) == HitAction(refresh=True)
    assert policy.window_s(10.0, 1.0) >= refreshing.remaining_s, "the engine would ask"


@pytest.mark.proves("expiry/sliding")
def test_sliding_renews_but_not_at_once_again() -> None:
    policy = Sliding("8s")
    assert policy.on_hit(Hit("k", 0.5, 7.5, 0.0)) == HitAction()
    assert policy.on_hit(Hit("k", 1.0, 7.0, 0.0)) == HitAction(renew_s=8.0)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: EarlyRefresh(0.0), "beta=0.0"),
        (lambda: RefreshAhead(1.0), "fraction=1.0"),
        (lambda: Sliding(0), "ttl=0"),
    ],
)
def test_bad_options_name_themselves(make: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        make()


def do(wanted: Refresh, _: Sequence[str]) -> None:
    wanted.work.function()


def job_for(key: str, job: Callable[[], object]) -> Refresh:
    return Refresh(Work(job, Terms()), {key: 0.0})


def test_law_10_the_refresher_is_bounded_and_does_one_job_a_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tiered_cache._engine.workers.refresher._MAX_WAITING", 3)
    refresher = Refresher(do)
    gate, done = threading.Event(), []

    def job(name: str) -> Callable[[], None]:
        def wait_and_tell() -> None:
            assert gate.wait(30)
            done.append(name)

        return wait_and_tell

    for number in range(4):
        assert refresher.submit(job_for(f"under way {number}", job("under way")))
        wait_until(lambda: not refresher._jobs, "a thread of its own does it")
    assert refresher.submit(job_for("under way 0", job("again"))) is False
    for number in range(3):
        assert refresher.submit(job_for(f"waiting {number}", job("waiting")))
    assert refresher.submit(job_for("one too many", job("one too many"))) is False
    gate.set()
    wait_until_idle(refresher)
    assert sorted(done) == ["under way"] * 4 + ["waiting"] * 3
    refresher.close()
    assert refresher.submit(job_for("late", job("late"))) is False


def test_jobs_that_come_together_do_not_wait_for_one_thread() -> None:
    refresher, both = Refresher(do), threading.Barrier(2)
    assert refresher.submit(job_for("first", lambda: None))
    wait_until(lambda: refresher._idle == 1, "its thread is idle")
    with refresher._lock:  # so that the thread which is notified takes nothing yet
        results = [
            threading.Thread(target=refresher.submit, args=(job_for(key, both.wait),))
            for key in "ab"
        ]
        for each in results:
            each.start()
    for each in results:
        each.join(30)
    wait_until_idle(refresher)
    assert not both.broken
    refresher.close()


def test_law_1_where_no_thread_can_start_the_caller_does_not_hear_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_: threading.Thread) -> None:
        msg = "can't start new thread"
        raise RuntimeError(msg)

    refresher = Refresher(do)
    done = []
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fail)
        assert refresher.submit(job_for("key", lambda: done.append("too early"))) is False
    assert refresher.submit(job_for("key", lambda: done.append("in time")))
    wait_until_idle(refresher)
    assert done == ["in time"]
    refresher.close()


def test_a_function_that_exits_takes_no_thread_away(caplog: pytest.LogCaptureFixture) -> None:
    refresher = Refresher(do)
    assert refresher.submit(job_for("key", lambda: sys.exit(1)))
    wait_until_idle(refresher)
    wait_until(lambda: refresher._idle == 1, "its thread is idle")
    assert "SystemExit(1)" in caplog.text
    refresher.close()


def test_law_12_a_forked_child_refreshes_by_itself(
    serving_stale: TieredCache, clock: FakeClock
) -> None:
    compute = Counting()
    serving_stale.get_or_compute("key", compute)
    clock.advance(11)

    def child() -> Any:
        serving_stale.get_or_compute("key", compute)
        settle(serving_stale)
        return serving_stale.get("key")

    assert in_forked_child(child) == 2
    assert serving_stale.lookup("key").status is LookupStatus.STALE


def test_a_refresh_of_many_leads_only_the_keys_that_it_computes() -> None:
    with TieredCache([MemoryTier()]) as cache:
        core = cache._source.core()
        cache.set("fresh", "set")
        led: list[set[str]] = []

        def compute_many(keys: Sequence[str]) -> dict[str, str]:
            led.append(set(core.stack.flights._under_way))
            return dict.fromkeys(keys, "new")

        work = Work(compute_many, core.stack.default_terms, is_many=True)
        wanted = Refresh(work, {"fresh": 0.0, "gone": 0.0})
        core.run(refresh(core.stack, wanted, ["fresh", "gone"]))
        assert led == [{"gone"}]
        assert cache.get_many(["fresh", "gone"]) == {"fresh": "set", "gone": "new"}


def test_waiters_learn_that_the_loop_of_a_refresh_has_ended() -> None:
    flights: list[Flight] = []

    async def compute_many(keys: Sequence[str]) -> dict[str, str]:
        flights.extend(core.stack.flights._under_way.values())
        return dict.fromkeys(keys, "new")

    with TieredCache([MemoryTier()]) as cache:
        core = cache._source.core()
        work = Work(compute_many, core.stack.default_terms, is_many=True)

        async def main() -> None:
            side = await AsyncTieredCache.of(cache)._side()
            await side.run(refresh(side.stack, Refresh(work, {"key": 0.0}), ["key"]))

        anyio.run(main)
    (flight,) = flights
    assert flight.is_lost is not None
    assert flight.is_lost()
