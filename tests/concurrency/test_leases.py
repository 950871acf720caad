"""One computation for the processes and hosts that share a tier (law 2).

Two caches of one process know of each other as little as two processes do: only through the tiers.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.background import wait_until_refreshed
from tests.patience import patient_disk, patient_redis
from tests.waiting import random_pause
from tiered_cache import (
    ComputationTimeoutError,
    ConfigurationError,
    MemoryTier,
    SingleFlight,
    TieredCache,
)
from tiered_cache.testing import FakeClock, race
from tiered_cache.testing.forked_child import start_child
from tiered_cache.testing.wait import wait_until
from tiered_cache.tiers.disk._leases import DiskLeases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tiered_cache.contracts import Tier
    from tiered_cache.contracts.leases import LeaseAnswer
    from tiered_cache.testing import ChaosProxy, ValkeyServer

WAIT_S = 30.0


@pytest.fixture(params=["host", "cluster"])
def open_cache(
    request: pytest.FixtureRequest, tmp_path: Path, redis_url: str, namespace: str
) -> Iterator[Callable[..., TieredCache]]:
    """Makes caches as different processes of a host have them, or different hosts."""
    made: list[TieredCache] = []

    def make(**options: Any) -> TieredCache:
        tiers: list[Tier[Any]] = [MemoryTier()]
        if request.param == "host":
            tiers.append(patient_disk(tmp_path / "shared"))
        else:
            tiers.append(patient_disk(tmp_path / f"host-{len(made)}"))
            tiers.append(patient_redis(redis_url))
        made.append(TieredCache(tiers, namespace=namespace, **options))
        return made[-1]

    yield make
    for cache in made:
        cache.close()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(20) as made:
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


def never(*_: object) -> Any:
    pytest.fail("it was computed a second time")


class Spied:
    """The leases of a cache's slowest tier, with counts of the calls."""

    def __init__(self, cache: TieredCache) -> None:
        level = cache._source.core().stack.levels[-1]
        self._leases: Any = level.leases
        level.leases = self
        self.acquired = 0
        self.waited = threading.Semaphore(0)
        self.renewed = threading.Semaphore(0)

    def acquire(self, key: str, owner: str, lifetime_s: float) -> LeaseAnswer:
        self.acquired += 1
        answer: LeaseAnswer = self._leases.acquire(key, owner, lifetime_s)
        return answer

    def renew(self, key: str, owner: str, lifetime_s: float) -> bool:
        renewed: bool = self._leases.renew(key, owner, lifetime_s)
        self.renewed.release()
        return renewed

    def release(self, key: str, owner: str) -> None:
        self._leases.release(key, owner)

    def wait(self, key: str, seen: object, timeout_s: float) -> None:
        self.waited.release()
        self._leases.wait(key, seen, timeout_s)


def test_law_2_another_process_waits_and_finds_the_value(
    open_cache: Callable[..., TieredCache], pool: ThreadPoolExecutor
) -> None:
    one, two = open_cache(), open_cache()
    compute = Gated({"a": "value"})
    first = pool.submit(one.get_or_compute, "key", compute)
    assert compute.began.wait(WAIT_S)
    spied = Spied(two)
    others = [pool.submit(two.get_or_compute, "key", never) for _ in range(4)]
    assert spied.waited.acquire(timeout=WAIT_S)
    compute.go.set()
    assert first.result(WAIT_S) == {"a": "value"}
    assert [other.result(WAIT_S) for other in others] == [{"a": "value"}] * 4
    stats = two.stats()
    assert stats.coalesced + stats.hits == 4
    assert stats.coalesced > 0
    assert stats.tier("memory").promotions == 1


@pytest.mark.proves("law-2/leader-looks-again")
def test_law_2_a_process_that_missed_before_another_ended_computes_nothing(
    open_cache: Callable[..., TieredCache],
) -> None:
    """It asks for the lease when that is free again."""
    one, two = open_cache(), open_cache()
    level = two._source.core().stack.levels[-1]
    leases: Any = level.leases

    class Late:
        release = leases.release

        def acquire(self, key: str, owner: str, lifetime_s: float) -> object:
            assert one.get_or_compute("key", lambda: "value") == "value"
            return leases.acquire(key, owner, lifetime_s)

    level.leases = Late()  # type: ignore[assignment] # it need not have the rest
    assert two.get_or_compute("key", never) == "value"
    assert two.get_or_compute_many(["other", "key"], lambda keys: dict.fromkeys(keys, 1)) == {
        "other": 1,
        "key": "value",
    }


@pytest.mark.proves("law-2/leader-raises")
def test_another_process_retries_a_failed_computation_itself(
    open_cache: Callable[..., TieredCache], pool: ThreadPoolExecutor
) -> None:
    one, two = open_cache(), open_cache()
    broken = Gated(ValueError("broken"))
    first = pool.submit(one.get_or_compute, "key", broken)
    assert broken.began.wait(WAIT_S)
    spied = Spied(two)
    second = pool.submit(two.get_or_compute, "key", lambda: "value")
    assert spied.waited.acquire(timeout=WAIT_S)
    broken.go.set()
    assert isinstance(first.exception(WAIT_S), ValueError)
    assert second.result(WAIT_S) == "value"


@pytest.mark.proves("law-2/lease-renewed")
def test_a_lease_is_renewed_while_its_holder_computes(
    tmp_path: Path, namespace: str, pool: ThreadPoolExecutor
) -> None:
    clock = FakeClock()
    flights = SingleFlight(lease="300ms")

    def make() -> TieredCache:
        return TieredCache(
            [MemoryTier(), patient_disk(tmp_path)],
            namespace=namespace,
            clock=clock,
            single_flight=flights,
        )

    with make() as one, make() as two:
        compute = Gated()
        spied = Spied(one)
        first = pool.submit(one.get_or_compute, "key", compute)
        assert compute.began.wait(WAIT_S)
        second = pool.submit(two.get_or_compute, "key", never)
        for _ in range(5):
            while spied.renewed.acquire(blocking=False):
                pass  # of before the clock was advanced
            assert spied.renewed.acquire(timeout=WAIT_S)
            clock.advance(0.2)
        compute.go.set()
        assert first.result(WAIT_S) == "value"
        assert second.result(WAIT_S) == "value"


@pytest.mark.proves("law-1/strict-background")
def test_a_strict_cache_renews_its_leases_again_when_the_server_is_back(
    chaos_proxy: Callable[[str], ChaosProxy],
    redis_url: str,
    namespace: str,
    pool: ThreadPoolExecutor,
) -> None:
    """The thread that renews leases has no caller, so it must not raise in a strict cache."""
    proxy = chaos_proxy(redis_url)
    with TieredCache(
        [patient_redis(proxy.url)],
        namespace=namespace,
        strict=True,
        single_flight=SingleFlight(lease="300ms"),
        probe_interval="10ms",
    ) as cache:
        spied, compute = Spied(cache), Gated()
        first = pool.submit(cache.get_or_compute, "key", compute)
        assert spied.renewed.acquire(timeout=WAIT_S)
        proxy.refuse()
        breaker = cache._source.core().stack.levels[0].breaker
        wait_until(lambda: breaker.failing, "a lease could not be renewed", WAIT_S)
        proxy.forward()
        while spied.renewed.acquire(blocking=False):
            pass  # of before
        assert spied.renewed.acquire(timeout=WAIT_S)
        compute.go.set()
        assert first.result(WAIT_S) == "value"


@pytest.mark.proves("law-2/late-fill", "law-2/not-frozen-leader")
@pytest.mark.parametrize("wakes", ["before the other ends", "after the other ended"])
def test_law_2_a_frozen_holder_is_replaced_and_its_writes_land_nowhere(
    wakes: str, open_cache: Callable[..., TieredCache], pool: ThreadPoolExecutor
) -> None:
    lease = SingleFlight(lease="100ms")
    frozen, other = open_cache(single_flight=lease), open_cache(single_flight=lease)
    frozen._source.core().stack.leases.close()  # so that it gives no sign of life
    old, new = Gated("old"), Gated("new")
    first = pool.submit(frozen.get_or_compute, "key", old)
    assert old.began.wait(WAIT_S)
    second = pool.submit(other.get_or_compute, "key", new)
    assert new.began.wait(WAIT_S), "it is replaced when its lease has run out"
    if wakes == "before the other ends":
        old.go.set()
        assert first.result(WAIT_S) == "old"
        for tier in frozen.explain("key")[1:]:
            assert not tier.present, f"{tier.tier} holds a fenced-off value"
        new.go.set()
    else:
        new.go.set()
        assert second.result(WAIT_S) == "new"
        old.go.set()
        assert first.result(WAIT_S) == "old"
    assert second.result(WAIT_S) == "new"
    assert frozen.get("key") == "new"
    assert other.get("key") == "new"


@pytest.mark.proves("law-2/wait-timeout")
def test_waiting_for_another_process_ends_after_the_timeout(
    open_cache: Callable[..., TieredCache], pool: ThreadPoolExecutor
) -> None:
    one = open_cache()
    slow = Gated("slow")
    first = pool.submit(one.get_or_compute, "key", slow)
    assert slow.began.wait(WAIT_S)
    quick = open_cache(single_flight=SingleFlight(timeout="20ms"))
    assert quick.get_or_compute("key", lambda: "quick") == "quick"
    many = open_cache(single_flight=SingleFlight(timeout="20ms"))
    quick.delete("key")
    asked: list[list[str]] = []

    def compute(keys: Sequence[str]) -> dict[str, str]:
        asked.append(list(keys))
        return dict.fromkeys(keys, "many")

    assert many.get_or_compute_many(["key", "b"], compute) == {"key": "many", "b": "many"}
    assert asked == [["b"], ["key"]]
    many.delete("key")
    strict = open_cache(single_flight=SingleFlight(timeout="20ms", on_timeout="raise"))
    with pytest.raises(ComputationTimeoutError):
        strict.get_or_compute("key", never)
    with pytest.raises(ComputationTimeoutError):
        strict.get_or_compute_many(["key"], never)
    slow.go.set()
    assert first.result(WAIT_S) == "slow"


def test_waiting_for_another_process_may_end_with_the_stale_value(
    open_cache: Callable[..., TieredCache], pool: ThreadPoolExecutor
) -> None:
    clock = FakeClock()
    options: dict[str, Any] = {"default_ttl": "10s", "stale_for": "1h", "clock": clock}
    one = open_cache(single_flight=SingleFlight(on_timeout="stale"), **options)
    two = open_cache(single_flight=SingleFlight(timeout="20ms", on_timeout="stale"), **options)
    one.set("key", "old")
    clock.advance(20)
    slow = Gated("new")
    first = pool.submit(one.get_or_compute, "key", slow)
    assert slow.began.wait(WAIT_S)
    assert two.get_or_compute("key", never) == "old"
    slow.go.set()
    assert first.result(WAIT_S) == "new"
    assert two.get_or_compute("key", never) == "new"


@pytest.mark.proves("law-2/each-others-keys")
def test_processes_that_wait_for_each_others_keys_go_on_by_computing(
    open_cache: Callable[..., TieredCache],
) -> None:
    flights = SingleFlight(lease="200ms")
    caches = [open_cache(single_flight=flights), open_cache(single_flight=flights)]
    under_way = threading.Barrier(2)

    def work(number: int) -> str:
        def compute() -> str:
            under_way.wait(WAIT_S)
            return caches[number].get_or_compute(f"key {1 - number}", lambda: "direct")

        return caches[number].get_or_compute(f"key {number}", compute)

    assert race(2, work, timeout_s=WAIT_S) == ["direct", "direct"]


@pytest.mark.proves("law-2/many-keys")
def test_of_many_keys_each_is_computed_by_one_process(
    open_cache: Callable[..., TieredCache], pool: ThreadPoolExecutor
) -> None:
    one, two = open_cache(), open_cache()
    go = threading.Event()
    began = threading.Event()
    asked: list[list[str]] = []

    def compute(keys: Sequence[str]) -> dict[str, str]:
        asked.append(list(keys))
        began.set()
        assert go.wait(WAIT_S)
        return {key: key.upper() for key in keys}

    def compute_rest(keys: Sequence[str]) -> dict[str, str]:
        asked.append(list(keys))
        return {key: key.upper() for key in keys}

    first = pool.submit(one.get_or_compute_many, ["a", "b"], compute)
    assert began.wait(WAIT_S)
    spied = Spied(two)
    second = pool.submit(two.get_or_compute_many, ["b", "c", "a"], compute_rest)
    assert spied.waited.acquire(timeout=WAIT_S)
    go.set()
    assert first.result(WAIT_S) == {"a": "A", "b": "B"}
    assert second.result(WAIT_S) == {"b": "B", "c": "C", "a": "A"}
    assert asked == [["a", "b"], ["c"]]


@pytest.mark.proves("law-2/refresh-by-one")
def test_a_stale_value_is_recomputed_by_one_process(
    open_cache: Callable[..., TieredCache],
) -> None:
    clock = FakeClock()
    options: dict[str, Any] = {"default_ttl": "10s", "stale_for": "1h", "clock": clock}
    one, two = open_cache(**options), open_cache(**options)
    one.set("key", "old")
    clock.advance(20)
    refresh = Gated("new")
    assert one.get_or_compute("key", refresh) == "old"
    assert refresh.began.wait(WAIT_S)
    assert two.get_or_compute("key", never) == "old"
    wait_until_refreshed(two)
    refresh.go.set()
    wait_until_refreshed(one)
    assert one.get_or_compute("key", never) == "new"


@pytest.mark.proves("law-2/not-narrow-scope")
def test_the_scope_can_be_narrowed_for_a_cache_and_for_a_call(
    open_cache: Callable[..., TieredCache], pool: ThreadPoolExecutor
) -> None:
    one, two = open_cache(), open_cache()
    narrow = open_cache(single_flight=SingleFlight(scope="thread"))
    slow = Gated("slow")
    first = pool.submit(one.get_or_compute, "key", slow)
    assert slow.began.wait(WAIT_S)
    assert two.get_or_compute("key", lambda: "call", scope="thread") == "call"
    two.delete("key")
    assert narrow.get_or_compute("key", lambda: "cache") == "cache"
    narrow.delete("key")
    wide = two.get_or_compute_many(["key"], lambda _: {"key": "many"}, scope="thread")
    assert wide == {"key": "many"}
    slow.go.set()
    assert first.result(WAIT_S) == "slow"


@pytest.mark.proves("law-2/not-narrow-scope")
def test_the_scope_can_be_narrowed_for_a_function(open_cache: Callable[..., TieredCache]) -> None:
    cache = open_cache()
    spied = Spied(cache)

    @cache.cached(scope="thread")
    def narrow(path: str) -> str:
        return path.upper()

    @cache.cached
    def wide(path: str) -> str:
        return path.upper()

    assert narrow("a") == "A"
    assert spied.acquired == 0
    assert wide("a") == "A"
    assert spied.acquired == 1
    with pytest.raises(ConfigurationError, match="'thread', 'host', 'cluster'"):
        cache.cached(scope="world")(narrow.uncached)


@pytest.mark.proves("law-2/leases-fail")
def test_law_1_values_are_computed_without_leases_that_fail(
    valkey: ValkeyServer, namespace: str, tmp_path: Path
) -> None:
    with TieredCache([MemoryTier(), patient_redis(valkey.url)], namespace=namespace) as cache:
        level = cache._source.core().stack.levels[-1]

        class Broken:
            def acquire(self, key: str, owner: str, lifetime_s: float) -> LeaseAnswer:
                raise OSError("no leases today")

        level.leases = Broken()  # type: ignore[assignment] # it need not have the rest
        assert cache.get_or_compute("key", lambda: "value") == "value"
        assert cache.get("key") == "value"


def in_children(
    count: int, body: Callable[[int], Any], folder: Path, wait_s: float = 60.0
) -> list[Any]:
    """The results of `body(0)` to `body(count - 1)`, run at once in one forked process each."""
    go_reading, go_writing = os.pipe()
    children = []
    for number in range(count):
        pid = start_child(partial(answer, number, body, folder, go_reading, go_writing))
        children.append(pid)
    os.close(go_reading)
    wait_until(lambda: len(list(folder.glob("*.ready"))) == count, "all children are ready", WAIT_S)
    os.close(go_writing)
    codes = [wait_for(pid, wait_s) for pid in children]
    assert codes == [0] * count, "\n".join(each.read_text() for each in folder.glob("*.error"))
    return [json.loads((folder / f"{number}.json").read_text()) for number in range(count)]


def answer(
    number: int, body: Callable[[int], Any], folder: Path, go_reading: int, go_writing: int
) -> None:
    os.close(go_writing)
    (folder / f"{number}.ready").touch()
    os.read(go_reading, 1)  # ends when the parent closes the other end
    try:
        (folder / f"{number}.json").write_text(json.dumps(body(number)))
    except BaseException:
        (folder / f"{number}.error").write_text(traceback.format_exc())
        raise


def wait_for(pid: int, wait_s: float = 60.0) -> int:
    """The exit status of a child, which is killed if it does not end."""
    status: list[int] = []

    def ended() -> bool:
        found, code = os.waitpid(pid, os.WNOHANG)
        if found:
            status.append(os.waitstatus_to_exitcode(code))
        return bool(found)

    try:
        wait_until(ended, "a child ends", wait_s)
    except AssertionError:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    return status[0]


def add_line(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, b"\n")
    os.close(descriptor)


def lines(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


class Logged:
    """A function of several processes. Each call adds a line to a file.

    Args:
        path: The file.
        work: Called by each call, after the line.
    """

    def __init__(self, path: Path, work: Callable[[], None] = lambda: None) -> None:
        self._path = path
        self._work = work

    def __call__(self) -> list[str]:
        add_line(self._path)
        self._work()
        return ["a", "value"]

    @property
    def calls(self) -> int:
        return lines(self._path)


class Meeting(Logged):
    """A function that returns when all its callers, in all processes, have asked for its key."""

    def __init__(self, path: Path, callers: int) -> None:
        super().__init__(path, self._wait)
        self._asked = path.with_suffix(".asked")
        self._callers = callers

    def announce(self) -> None:
        """Count a caller that asks next."""
        add_line(self._asked)

    def _wait(self) -> None:
        wait_until(lambda: lines(self._asked) == self._callers, "all callers have asked", WAIT_S)


def open_in_child(
    scope: str, number: int, folder: Path, url: str, namespace: str, lease: str = "10s"
) -> TieredCache:
    tiers: list[Tier[Any]] = [MemoryTier()]
    if scope == "host":
        tiers.append(patient_disk(folder / "shared"))
    else:
        tiers += [patient_disk(folder / f"host-{number}"), patient_redis(url)]
    return TieredCache(tiers, namespace=namespace, single_flight=SingleFlight(lease=lease))


def eight_times_eight(scope: str, folder: Path, url: str, namespace: str, rounds: int) -> None:
    functions = [Meeting(folder / f"{turn}.log", callers=64) for turn in range(rounds)]

    def child(number: int) -> list[Any]:
        with open_in_child(scope, number, folder, url, namespace) as cache:

            def ask(thread: int) -> list[Any]:
                answers = []
                for turn, function in enumerate(functions):
                    function.announce()
                    answers.append(cache.get_or_compute(f"key {turn}", function))
                return answers

            return race(8, ask)

    answers = in_children(8, child, folder)
    assert answers == [[[["a", "value"]] * rounds] * 8] * 8
    assert [function.calls for function in functions] == [1] * rounds


@pytest.mark.proves("law-2/processes")
@pytest.mark.timeout(120)
@pytest.mark.parametrize("scope", ["host", "cluster"])
def test_law_2_eight_processes_of_eight_threads_compute_once(
    scope: str, tmp_path: Path, redis_url: str, namespace: str
) -> None:
    eight_times_eight(scope, tmp_path, redis_url, namespace, rounds=1)


@pytest.mark.proves("law-2/processes")
@pytest.mark.exhaustive
@pytest.mark.timeout(600)
@pytest.mark.parametrize("scope", ["host", "cluster"])
def test_law_2_eight_processes_of_eight_threads_compute_once_in_a_thousand_rounds(
    scope: str, tmp_path: Path, redis_url: str, namespace: str
) -> None:
    eight_times_eight(scope, tmp_path, redis_url, namespace, rounds=1000)


@pytest.mark.proves("law-2/leader-replaced")
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("scope", ["host", "cluster"])
def test_law_2_a_process_that_dies_or_freezes_while_it_computes_is_replaced(
    scope: str, sign: signal.Signals, tmp_path: Path, redis_url: str, namespace: str
) -> None:
    lease = SingleFlight(lease="300ms")
    began = tmp_path / "began"

    def make(number: int) -> TieredCache:
        tiers: list[Tier[Any]] = [
            patient_disk(tmp_path / ("shared" if scope == "host" else str(number)))
        ]
        if scope == "cluster":
            tiers.append(patient_redis(redis_url))
        return TieredCache(tiers, namespace=namespace, single_flight=lease)

    go_reading, go_writing = os.pipe()

    def compute() -> str:
        began.touch()
        os.read(go_reading, 1)
        return "old"

    def child() -> None:
        os.close(go_writing)
        with make(1) as cache:
            assert cache.get_or_compute("key", compute) == "old"

    pid = start_child(child)
    wait_until(began.exists, "the child computes", WAIT_S)
    os.kill(pid, sign)
    with make(2) as cache:
        assert cache.get_or_compute("key", lambda: "new") == "new"
        os.close(go_reading)
        os.close(go_writing)
        if sign is signal.SIGSTOP:
            os.kill(pid, signal.SIGCONT)
            assert wait_for(pid) == 0
        else:
            assert wait_for(pid) == -signal.SIGKILL
        assert cache.get("key") == "new"
    with make(1) as again:
        assert again.get("key") in ("new", None)


def start_deadly(step: int, made: Callable[[], TieredCache], function: Logged) -> int:
    """Start a process that asks for a key, and kills itself at its effect number `step`.

    An effect counts twice: before and after it is done. It ends well if it does not get there.
    """

    def child() -> None:
        cache = made()
        driver: Any = cache._source.core()._run.__self__  # type: ignore[attr-defined] # a bound method
        count = 0

        def deadly(perform: Callable[[Any], Any], effect: Any) -> Any:
            nonlocal count
            count += 1
            if count == step:
                os.kill(os.getpid(), signal.SIGKILL)
            reply = perform(effect)
            count += 1
            if count == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return reply

        for kind, perform in list(driver._performers.items()):
            driver._performers[kind] = partial(deadly, perform)
        assert cache.get_or_compute("key", function) == ["a", "value"]

    return start_child(child)


def was_killed(pid: int) -> bool:
    code = wait_for(pid)
    assert code in (0, -signal.SIGKILL)
    return code != 0


@pytest.mark.proves("law-2/leader-replaced")
@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("scope", ["host", "cluster"])
def test_law_2_a_process_that_dies_at_any_step_is_replaced(
    scope: str, tmp_path: Path, redis_url: str, namespace: str
) -> None:
    step, died = 0, True
    while died:
        step += 1
        function = Logged(tmp_path / f"{step}.log")
        made = partial(
            open_in_child,
            scope,
            folder=tmp_path / f"{step}",
            url=redis_url,
            namespace=f"{namespace}-{step}",
            lease="100ms",
        )
        died = was_killed(start_deadly(step, partial(made, 1), function))
        before = function.calls
        with made(2) as cache:
            assert cache.get_or_compute("key", function) == ["a", "value"]
        assert function.calls <= before + 1 <= 2
        with made(3) as cache:
            assert cache.get_or_compute("key", never) == ["a", "value"]
    assert step > 10


@pytest.mark.proves("law-2/leader-replaced")
@pytest.mark.exhaustive
@pytest.mark.timeout(900)
@pytest.mark.parametrize("scope", ["host", "cluster"])
def test_law_2_a_process_that_dies_at_any_step_is_replaced_in_a_thousand_rounds(
    scope: str, tmp_path: Path, redis_url: str, namespace: str
) -> None:
    """The second process starts at any time: before the first, beside it, or after its death."""
    processes, rounds = 8, 125

    def watch(number: int) -> int:
        dice = random.Random(number)
        killed = 0
        for turn in range(rounds):
            place = tmp_path / f"{number}-{turn}"
            work = partial(random_pause, dice, 0.004)
            function = Logged(tmp_path / f"{number}-{turn}.log", work)
            made = partial(
                open_in_child,
                scope,
                folder=place,
                url=redis_url,
                namespace=f"{namespace}-{number}-{turn}",
                lease="500ms",
            )
            pid = start_deadly(dice.randint(1, 30), partial(made, 1), function)
            random_pause(dice, 0.1)
            with made(2) as cache:
                assert cache.get_or_compute("key", function) == ["a", "value"]
                died = was_killed(pid)
            assert function.calls <= 1 + died
            with made(3) as cache:
                assert cache.get_or_compute("key", never) == ["a", "value"]
            killed += died
            shutil.rmtree(place)
        return killed

    killed = in_children(processes, watch, tmp_path, wait_s=900.0)
    assert sum(killed) > processes * rounds / 4


def test_law_2_concurrent_creators_of_the_lease_database_get_one_grant(
    tmp_path: Path,
) -> None:
    """During the set-up SQLite refuses no process, and no process takes a granted lease away."""
    for number in range(60):
        made = [DiskLeases(20.0, "disk") for _ in range(6)]
        for each in made:
            each.open(tmp_path / f"{number}.db", time.monotonic)

        def acquire(number: int, made: Sequence[DiskLeases] = made) -> LeaseAnswer:
            return made[number].acquire("key", f"owner {number}", 60.0)

        answers = race(6, acquire)
        assert [each.granted for each in answers].count(True) == 1
        for each in made:
            each.close()
