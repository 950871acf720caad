"""A state machine test of real processes over real stores (laws 4 and 5).

Hypothesis generates the steps: fills, promotions and sets that stop half way, changes, kills and reads of
the log. A model states the values that each process may be served. The processes do one step at a time
and read the log only when told to. The same steps therefore always end the same, and a failure shrinks.
"""

from __future__ import annotations

import math
import os
import threading
import uuid
from dataclasses import replace
from queue import SimpleQueue
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    multiple,
    rule,
    run_state_machine_as_test,
)

from tests.puppets import Puppet
from tiered_cache import Coherence, DiskTier, MemoryTier, RedisTier, SingleFlight, TieredCache
from tiered_cache._engine.plans import read as reading
from tiered_cache._engine.workers.change_follower import ChangeFollower
from tiered_cache.clock import SYSTEM_CLOCK
from tiered_cache.contracts import ANY, WrappedTier, is_tombstone
from tiered_cache.keys import VIEW_SEPARATOR
from tiered_cache.tiers.disk import _log_table as _disk_log
from tiered_cache.tiers.redis import _change_log as _redis_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tiered_cache.contracts import Absent, Found, Put, Tier
    from tiered_cache.testing.valkey_cluster import ValkeyCluster

KEYS = ("a", "b")
BOUND_S = 3600.0
WAIT_S = 30.0
LONGEST_BYTES = 1000
LONG = "x" * LONGEST_BYTES


class Setting(NamedTuple):
    """The place of each process, and the stores they share.

    Attributes:
        hosts: For each process the number of its host.
        url: The server that all share; `None` if they share only the disk of one host.
        folder: Where the disks of the hosts are.
        namespace: Of all of them.
        is_logged: Whether the stores log their changes.
        without: The guard that is switched off in the processes.
    """

    hosts: tuple[int, ...]
    url: str | None
    folder: Path
    namespace: str
    is_logged: bool = True
    without: str = ""


class Stop:
    """Where an operation stops half way, until it is told to go on."""

    here = threading.local()

    def __init__(self, point: str, key: str, work: Callable[[], object]) -> None:
        self.point = point
        self.key = key
        self.computed = False
        self.reports: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self.go = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self.thread.start()

    def _run(self, work: Callable[[], object]) -> None:
        Stop.here.stop = self
        try:
            self.reports.put(("done", work()))
        except BaseException as error:
            self.reports.put(("raised", repr(error)))

    @classmethod
    def at(cls, point: str, key: str) -> None:
        stop: Stop | None = getattr(cls.here, "stop", None)
        if stop is not None and stop.point == point and key.endswith(VIEW_SEPARATOR + stop.key):
            stop.reports.put(("stopped", None))
            assert stop.go.wait(WAIT_S)
            cls.here.stop = None


class Memory(MemoryTier):
    def put(self, key: str, *args: Any, **options: Any) -> bool:
        Stop.at("memory", key)
        return super().put(key, *args, **options)


class Disk(DiskTier):
    def put(self, key: str, put: Put[bytes]) -> bool:
        if not is_tombstone(put.item):  # which a lookup puts in the place of an outdated copy
            Stop.at("disk", key)
        return super().put(key, put)


class Server(RedisTier):
    def get(self, key: str) -> Found[Any] | Absent:
        answer = super().get(key)
        Stop.at("read", key)
        return answer


def without_log(tier: Tier[bytes]) -> Tier[bytes]:
    """A tier without a change log, which does not take long values."""
    wrapped = WrappedTier(tier)
    wrapped.offers = replace(
        wrapped.offers, change_log=None, awaited=None, max_item_bytes=LONGEST_BYTES
    )
    return wrapped


class Clock:
    """The system's wall clock, and a monotonic one that goes on when it is told to."""

    now_s = 0.0
    wall = staticmethod(SYSTEM_CLOCK.wall)

    def monotonic(self) -> float:
        return self.now_s


class Worker:
    """The steps that a process can run."""

    def __init__(self, setting: Setting, number: int) -> None:
        self.setting = setting
        self.folder = setting.folder / f"host-{setting.hosts[number]}"
        self.stops: dict[str, Stop] = {}
        self.clock = Clock()
        # A process reads the log only when it is told to.
        ChangeFollower._watch = lambda *_: None  # type: ignore[method-assign] # only in this process
        WITHOUT[setting.without]()

        self.cache = self._open()

    def _open(self) -> TieredCache:
        tiers: list[Tier[Any]] = [Memory(), Disk(self.folder, timeout=WAIT_S)]
        if self.setting.url is not None:
            tiers.append(Server(self.setting.url, timeout=WAIT_S, connect_timeout=WAIT_S))
        if not self.setting.is_logged:
            tiers[-1] = without_log(tiers[-1])
        return TieredCache(
            tiers,
            namespace=self.setting.namespace,
            clock=self.clock,
            coherence=Coherence(bound=BOUND_S),
            # A second process that computes the key does not wait for the first.
            single_flight=SingleFlight(scope="thread", timeout="1ms"),
        )

    def start(self, example: str) -> None:
        """Take unused keys and an unused tag, and read the log."""
        self.view = self.cache.namespace(example)
        self.tag = example
        self.hear()
        self._learn_of_clears()

    def _learn_of_clears(self) -> None:
        """Make fills that are refused after a clear of another process, which tells this one of it."""
        for tier in range(1 if self.setting.url is None else 2):  # a refused fill goes no further
            self.view.get_or_compute(f"of {os.getpid()} at {self.clock.now_s}: {tier}", str)

    def hear(self) -> None:
        self.clock.now_s += BOUND_S
        self.view.get("unused key")

    def get(self, key: str) -> Any:
        return self.view.get(key)

    def get_many(self) -> dict[str, Any]:
        return self.view.get_many(KEYS)

    def set(self, key: str, value: str, tagged: bool) -> list[str]:
        result = self.view.set(key, value, tags=self._tags(tagged))
        return [each.outcome.value for each in result.tiers]

    def _tags(self, tagged: bool) -> list[str]:
        return [self.tag] if tagged else []

    def fill(self, key: str, value: str, tagged: bool) -> Any:
        def compute() -> str:
            Stop.here.stop.computed = True
            Stop.at("compute", VIEW_SEPARATOR + key)
            return value

        return self.view.get_or_compute(key, compute, tags=self._tags(tagged))

    def delete(self, key: str) -> None:
        self.view.delete(key)

    def clear(self) -> None:
        self.view.clear()

    def invalidate(self) -> None:
        assert self.view.invalidate_tags(self.tag)

    def begin(self, name: str, point: str, method: str, key: str, *args: Any) -> Any:
        """Whether an operation stopped at a point, whether it computed, and its result."""
        stop = Stop(point, key, lambda: getattr(self, method)(key, *args))
        said, result = stop.reports.get(timeout=WAIT_S)
        if said == "stopped":
            self.stops[name] = stop
        return said, stop.computed, result

    def finish(self, name: str) -> Any:
        stop = self.stops.pop(name)
        stop.go.set()
        said, result = stop.reports.get(timeout=WAIT_S)
        assert said == "done", result
        return result


def write_unconditionally() -> None:
    for tier in (DiskTier, RedisTier):
        put: Any = tier.put

        def blindly(self: Any, key: str, wanted: Put[bytes], put: Any = put) -> Any:
            return put(self, key, wanted._replace(expected=ANY))

        setattr(tier, "put", blindly)  # noqa: B010 - only in this process


def hear_nothing() -> None:
    ChangeFollower._apply = lambda *_: True  # type: ignore[method-assign] # only in this process


def serve_without_a_tag_check() -> None:
    def check_tags(_: Any, finding: Any) -> Any:
        return finding
        yield

    module: Any = reading
    module.check_tags = check_tags


def compare_nothing() -> None:
    def revalidate(_: Any, findings: Any) -> Any:
        return findings
        yield

    module: Any = reading
    module.revalidate = revalidate


def clear_without_a_trace() -> None:
    modules: list[Any] = [_disk_log, _redis_log]
    for module in modules:
        module.secrets = SimpleNamespace(token_bytes=lambda _: b"always", token_hex=lambda _: "1")


WITHOUT: dict[str, Callable[[], None]] = {
    "": lambda: None,
    "the tokens": write_unconditionally,
    "hearing": hear_nothing,
    "comparing": compare_nothing,
    "the versions of tags": serve_without_a_tag_check,
    "the generation": clear_without_a_trace,
}


class Crew:
    """The processes: made once, used for one example after the other."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.example = ""
        self.workers = [self._hire(number) for number in range(len(setting.hosts))]

    def _hire(self, number: int) -> Puppet:
        return Puppet(lambda: Worker(self.setting, number))

    def start(self) -> None:
        self.example = uuid.uuid4().hex
        for number in range(len(self.workers)):
            if not self.workers[number].pid:
                self.workers[number] = self._hire(number)
            self.workers[number].call("start", self.example)

    def replace(self, number: int) -> None:
        """Kill a process, and start another one in its place."""
        self.workers[number].kill()
        self.workers[number] = self._hire(number)
        self.workers[number].call("start", self.example)

    def dismiss(self) -> None:
        for worker in self.workers:
            worker.kill()


class Span:
    """The steps during which a value may be the current one, as far as callers can know."""

    def __init__(self, value: str | None, begins: int, ends: float = math.inf) -> None:
        self.value = value
        self.begins = begins
        self.ends = ends

    def __repr__(self) -> str:
        return f"{self.value} [{self.begins}, {self.ends})"


class Half:
    """An operation that stopped half way."""

    def __init__(self, kind: str, worker: int, key: str, value: str, tagged: bool) -> None:
        self.kind = kind
        self.worker = worker
        self.key = key
        self.value = value
        self.tagged = tagged
        self.point = ""
        self.began = 0
        self.changed = False
        self.invalidated = math.inf
        self.allowed: set[str | None] = set()
        self.unaware = False


class Model:
    """The values that each process may be served.

    The model learns of a change when it is acknowledged. From then on the older value is forbidden to the
    process that changed it, and to every process that has read the change.
    """

    def __init__(self, setting: Setting) -> None:
        workers = len(setting.hosts)
        self.hosts = setting.hosts if setting.url else tuple(range(workers))
        self.now = 0
        self.spans = {key: [Span(None, 0)] for key in KEYS}
        self.heard = {(worker, key): 0 for worker in range(workers) for key in KEYS}
        self.tagged: set[str] = set()
        self.invalid: list[set[str]] = [set() for _ in range(workers)]
        self.halves: dict[str, Half] = {}
        self.filled: dict[str, int] = dict.fromkeys(KEYS, 0)
        self.unaware: set[int] = set()
        self.cleared = False

    def allowed(self, worker: int, key: str) -> set[str | None]:
        heard = self.heard[worker, key]
        values = {each.value for each in self.spans[key] if each.ends > heard}
        return values - self.invalid[worker]

    def hear(self, worker: int) -> None:
        for key in KEYS:
            self.heard[worker, key] = self.now
        self.invalid[worker] = set()
        if worker in self.unaware:
            # It clears the disk of its host once more, of which the others there do not know.
            host = self.hosts[worker]
            self.unaware |= {each for each, other in enumerate(self.hosts) if other == host}
        self.unaware.discard(worker)

    def replace(self, worker: int) -> None:
        """Replace a killed process by a new one, which also learns of the changes of the killed one."""
        if self.cleared:
            self.unaware.add(worker)
        self.hear(worker)

    def clear(self, worker: int) -> None:
        for key in KEYS:
            self.change(worker, key, None)
        self.unaware = {each for each, _ in self.heard} - {worker}
        self.cleared = True

    def change(self, worker: int, key: str, *values: str | None) -> None:
        self._end(key, self.now)
        self.spans[key] += [Span(value, self.now) for value in values]
        self.heard[worker, key] = self.now
        self._refuse_fills(key)

    def _refuse_fills(self, key: str) -> None:
        for half in self.halves.values():
            half.changed = half.changed or half.key == key

    def _end(self, key: str, before: float, *values: str | None) -> None:
        """End the spans that began before a time: all of them, or only those of these values."""
        for each in self.spans[key]:
            if each.begins < before and (not values or each.value in values):
                each.ends = min(each.ends, self.now)

    def values_of(self, value: str, tagged: bool) -> list[str | None]:
        """Possible values after a write: without the new tag version it is written under an old one.

        A long value is in the upper tiers of its writer only.
        """
        return [value, None] if tagged or LONG in value else [value]

    def invalidate(self, worker: int) -> None:
        for key in KEYS:
            current = {each.value for each in self.spans[key] if each.ends == math.inf}
            gone = current & self.tagged
            if gone:
                self._end(key, self.now, *gone)
                self.spans[key].append(Span(None, self.now))
        self.invalid[worker] |= self.tagged
        for half in self.halves.values():
            if half.tagged:
                half.invalidated = min(half.invalidated, self.now)

    def begin_set(self, half: Half) -> None:
        # Others may see it from now on, and it may come to nothing.
        values = self.values_of(half.value, half.tagged)
        self.spans[half.key] += [Span(value, self.now) for value in values]
        # It is in the slowest tier, where it refuses the fills that began before it.
        self._refuse_fills(half.key)

    def finish_set(self, half: Half) -> None:
        self._end(half.key, half.began)
        heard = self.heard[half.worker, half.key]
        self.heard[half.worker, half.key] = max(heard, half.began)

    def land(self, half: Half, *, surely: bool) -> None:
        """A value that was computed is where all look for it, unless something else came first."""
        # A process that reads a clear drops its own computation, and knows of no fills of others.
        first = self.filled[half.key] <= half.began and not self.cleared
        self.filled[half.key] = self.now
        if half.changed:
            return
        self.spans[half.key].append(Span(half.value, half.began, half.invalidated))
        if not half.tagged and LONG not in half.value and (surely or first):
            self._end(half.key, math.inf, None)


workers = st.integers(0, 2)
keys = st.sampled_from(KEYS)


class Machine(RuleBasedStateMachine):
    """The steps of all processes, one after the other."""

    halves: Bundle[str] = Bundle("halves")

    def __init__(self, crew: Crew) -> None:
        super().__init__()
        self.crew = crew
        self.model = Model(crew.setting)
        self.count = 0
        crew.start()

    def tell(self, worker: int, method: str, *arguments: object) -> Any:
        self.model.now += 1
        return self.crew.workers[worker].call(method, *arguments)

    def is_changing(self, worker: int) -> bool:
        """Whether a process stopped in a change, and so holds a lock that other changes wait for."""
        return any(
            each.kind == "set" and each.worker == worker for each in self.model.halves.values()
        )

    def new_value(self, tagged: bool) -> str:
        self.count += 1
        value = f"v{self.count}"
        if not self.crew.setting.is_logged and self.count % 3 == 0:
            value += LONG
        if tagged:
            self.model.tagged.add(value)
        return value

    def check(self, value: str | None, allowed: set[str | None]) -> None:
        assert value in allowed, f"{value!r} was served, allowed are {allowed}"

    @rule(worker=workers, key=keys)
    def get(self, worker: int, key: str) -> None:
        self.check(self.tell(worker, "get", key), self.model.allowed(worker, key))

    @rule(worker=workers)
    def get_many(self, worker: int) -> None:
        found = self.tell(worker, "get_many")
        for key in KEYS:
            self.check(found.get(key), self.model.allowed(worker, key))

    @rule(worker=workers)
    def hear(self, worker: int) -> None:
        if not self.is_changing(worker):
            self.tell(worker, "hear")
            self.model.hear(worker)

    @rule(worker=workers, key=keys, tagged=st.booleans())
    def set(self, worker: int, key: str, tagged: bool) -> None:
        if not self.is_changing(worker):
            value = self.new_value(tagged)
            outcomes = self.tell(worker, "set", key, value, tagged)
            # Above it, a set that comes after a clear unheard of is careful.
            assert outcomes[-1] == ("refused" if LONG in value else "written"), outcomes
            self.model.change(worker, key, *self.model.values_of(value, tagged))

    @rule(worker=workers, key=keys)
    def delete(self, worker: int, key: str) -> None:
        if not self.is_changing(worker):
            self.tell(worker, "delete", key)
            self.model.change(worker, key, None)

    @rule(worker=workers)
    def clear(self, worker: int) -> None:
        if not self.is_changing(worker):
            self.tell(worker, "clear")
            self.model.clear(worker)

    @rule(worker=workers)
    def invalidate_tags(self, worker: int) -> None:
        if not self.is_changing(worker):
            self.tell(worker, "invalidate")
            self.model.invalidate(worker)

    @rule(worker=workers)
    def kill(self, worker: int) -> None:
        self.model.now += 1
        self.crew.replace(worker)
        self.model.replace(worker)
        for name, half in list(self.model.halves.items()):
            if half.worker == worker:
                del self.model.halves[name]

    @rule(target=halves, worker=workers, key=keys, tagged=st.booleans(), at=st.integers(0, 3))
    def begin_fill(self, worker: int, key: str, tagged: bool, at: int) -> Any:
        point = ("compute", "compute", "disk", "memory")[at]
        return self.begin("fill", worker, key, tagged=tagged, point=point)

    @rule(target=halves, worker=workers, key=keys, tagged=st.booleans(), at=st.integers(0, 1))
    def begin_set(self, worker: int, key: str, tagged: bool, at: int) -> Any:
        if self.is_changing(worker):
            return multiple()
        return self.begin("set", worker, key, tagged=tagged, point=("disk", "memory")[at])

    @rule(target=halves, worker=workers, key=keys, at=st.integers(0, 2))
    def begin_get(self, worker: int, key: str, at: int) -> Any:
        point = ("read", "disk", "memory")[at]
        return self.begin("get", worker, key, tagged=False, point=point)

    def begin(self, kind: str, worker: int, key: str, *, tagged: bool, point: str) -> Any:
        if self.crew.setting.url is None and point == "disk":
            point = "memory"
        value = "" if kind == "get" else self.new_value(tagged)
        half = Half(kind, worker, key, value, tagged)
        half.point = point
        half.allowed = self.model.allowed(worker, key)
        # Without a log, a process learns of a clear by the first fill that is refused.
        half.unaware = worker in self.model.unaware or not self.crew.setting.is_logged
        name = f"{kind} {self.count} {self.model.now}"
        arguments = () if kind == "get" else (value, tagged)
        said, computed, result = self.tell(worker, "begin", name, point, kind, key, *arguments)
        half.began = self.model.now
        if kind == "fill" and not computed:
            half.kind = kind = "get"
        if said == "stopped":
            self.model.halves[name] = half
            if kind == "set":
                self.model.begin_set(half)
            elif kind == "fill" and point != "compute":
                self.model.land(half, surely=True)
            return name
        assert said == "done", result
        if kind == "get":
            self.check(result, half.allowed)
        else:
            # A tier refused it, because another process cleared and this one has not read that.
            assert kind == "fill"
            assert half.unaware
            assert result == value
            self.model.land(half, surely=False)
        return multiple()

    @rule(name=consumes(halves))
    def finish(self, name: str) -> None:
        half = self.model.halves.get(name)
        if half is None:
            return  # its process was killed
        result = self.tell(half.worker, "finish", name)
        del self.model.halves[name]
        if half.kind == "get":
            self.check(result, half.allowed)
        elif half.kind == "set":
            self.model.finish_set(half)
        else:
            assert result == half.value
            if half.point == "compute":
                self.model.land(half, surely=False)

    def teardown(self) -> None:
        """In the end all have heard of everything, and are served the same."""
        try:
            for name in list(self.model.halves):
                self.finish(name)
            for worker in range(len(self.crew.workers)):
                self.hear(worker)
            for key in KEYS:
                served = [self.tell(worker, "get", key) for worker in range(len(self.crew.workers))]
                for worker, value in enumerate(served):
                    self.check(value, self.model.allowed(worker, key))
                one = {value for value in served if value is None or LONG not in value}
                assert len(one) <= 1, f"{served} was served"
        finally:
            for half in self.model.halves.values():  # it failed
                self.crew.workers[half.worker].kill()


@pytest.fixture(
    params=[
        "processes",
        "hosts",
        "processes without a log",
        "hosts without a log",
        pytest.param("cluster", marks=pytest.mark.exhaustive),
    ]
)
def setting(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    redis_url: str,
    valkey_cluster: ValkeyCluster,
    namespace: str,
) -> Setting:
    stores, _, without = request.param.partition(" without ")
    if stores == "processes":
        return Setting((0, 0, 0), None, tmp_path, namespace, is_logged=not without)
    url = valkey_cluster.url if stores == "cluster" else redis_url
    return Setting((0, 0, 1), url, tmp_path, namespace, is_logged=not without)


@pytest.fixture
def hire() -> Iterator[Callable[[Setting], Crew]]:
    crews: list[Crew] = []

    def hire(setting: Setting) -> Crew:
        crews.append(Crew(setting))
        return crews[-1]

    yield hire
    for crew in crews:
        crew.dismiss()


def run(crew: Crew, examples: int, *, steps: int = 30, phases: Any = tuple(Phase)) -> None:
    factory: Any = lambda: Machine(crew)  # noqa: E731 - any callable will do, they are typed as classes
    run_state_machine_as_test(
        factory,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            phases=phases,
            report_multiple_bugs=False,
        ),
    )


@pytest.mark.slow
@pytest.mark.proves("law-4/model")
@pytest.mark.timeout(600)  # a failure is reduced for up to five minutes
def test_law_4_processes_are_served_nothing_that_a_model_does_not_allow(
    setting: Setting, hire: Callable[[Setting], Crew]
) -> None:
    run(hire(setting), 50)


@pytest.mark.proves("law-4/model", "law-4/cluster")
@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
def test_law_4_processes_are_served_nothing_that_a_model_does_not_allow_in_many_runs(
    setting: Setting, hire: Callable[[Setting], Crew]
) -> None:
    run(hire(setting), 1500, steps=60)


@pytest.mark.slow
@pytest.mark.proves("law-4/model")
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "guard",
    [
        "the tokens",
        "hearing",
        "the versions of tags",
        # It takes a key that was neither set nor deleted, which seldom comes.
        pytest.param("the generation", marks=pytest.mark.exhaustive),
    ],
)
def test_without_a_guard_processes_break_the_model(
    guard: str, setting: Setting, hire: Callable[[Setting], Crew]
) -> None:
    if guard == "hearing" and not setting.is_logged:
        guard = "comparing"
    crew = hire(setting._replace(without=guard))
    with pytest.raises(AssertionError, match="was served"):
        run(crew, 2000, phases=[Phase.generate])
