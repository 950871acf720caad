"""No order of the steps of concurrent plans leaves an outdated value behind (law 4).

The plans are the real ones. The shared tiers are dictionaries with the guarantees of disk and Redis, so
that hundreds of thousands of orders can be tried.
"""

from __future__ import annotations

import itertools
import math
import random
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tiered_cache import MemoryTier, TieredCache
from tiered_cache._engine.effects import Compute
from tiered_cache._engine.plans import read as reading
from tiered_cache._engine.plans.clear import clear
from tiered_cache._engine.plans.delete import delete
from tiered_cache._engine.plans.get_or_compute import get_or_compute
from tiered_cache._engine.plans.read import look_up
from tiered_cache._engine.plans.tags import invalidate_tags
from tiered_cache._engine.plans.write import store
from tiered_cache._engine.terms import Terms, Work
from tiered_cache.contracts import (
    ANY,
    Absent,
    BaseTier,
    Found,
    Offers,
    Put,
    Reach,
    TierContext,
    TierInfo,
)
from tiered_cache.contracts.change_log import Change, ChangePage
from tiered_cache.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tiered_cache._engine.effects import Plan
    from tiered_cache._engine.finding import Finding
    from tiered_cache._engine.stack import Stack
    from tiered_cache._face.core import Core
    from tiered_cache.contracts import Tier

KEY = "key"
TAG = "tag"
TAGGED = Terms(tags=frozenset({TAG}))
ALL_UP_TO = 3000
SAMPLE = 1000


class Store:
    """A store that several tiers share: numbered records, a log and a generation."""

    def __init__(self) -> None:
        self.records: dict[str, tuple[Any, int]] = {}
        self.changes: list[Change] = []
        self.generation = 0
        self.writes = itertools.count(1)
        self.places: dict[str, int] = {}

    def reset(self) -> None:
        self.records.clear()


class ModelTier(BaseTier[Any]):
    """A shared tier in a dictionary; a deletion leaves a tombstone, `None`."""

    source = "model"

    def __init__(self, store: Store, name: str, reach: Reach) -> None:
        self.store = store
        self.name = name
        self.reach = reach
        self.offers = Offers(change_log=self, places=self)

    def open(self, context: TierContext) -> None:
        self.origin = context.origin

    def get(self, key: str) -> Found[Any] | Absent:
        record, number = self.store.records.get(key, (None, 0))
        if record is None:
            return Absent((number, 0 if number else self.store.generation))
        return Found(record, math.inf, (number, 0))

    def put(self, key: str, put: Put[Any]) -> bool:  # nothing ends here
        if put.expected is not ANY and put.expected != self.get(key).token:
            return False
        self._write(key, put.item)
        if not put.fill:
            self.store.changes.append(Change(self.origin(), key))
        return True

    def _write(self, key: str, record: object) -> None:
        self.store.records[key] = (record, next(self.store.writes))

    def delete(self, key: str) -> bool:
        self._write(key, None)
        self.store.changes.append(Change(self.origin(), key))
        return True

    def clear(self, prefix: str = "") -> int:
        self.store.generation += 1
        self.store.records.clear()
        self.store.changes.append(Change(self.origin(), prefix, is_prefix=True))
        return 1

    def read(self, position: int | None) -> ChangePage:
        changes = self.store.changes
        if position is None:
            return ChangePage((), len(changes), complete=False)
        return ChangePage(changes[position:], len(changes))

    def wait(self, position: int, timeout_s: float) -> None:
        raise NotImplementedError

    def place_in(self, source: str) -> int | None:
        return self.store.places.get(source)

    def begin_place(self, source: str, position: int) -> int | None:
        if source not in self.store.places and not self.store.records:
            self.store.generation += 1
            self.set_place(source, position)
        return self.place_in(source)

    def set_place(self, source: str, position: int) -> None:
        self.store.places[source] = position

    def scan(self, prefix: str = "") -> Iterator[str]:
        return iter([key for key in self.store.records if key.startswith(prefix)])

    def info(self) -> TierInfo:
        return TierInfo()

    def close(self) -> None: ...


class World:
    """Three processes: two on one host, and one on another."""

    def __init__(self) -> None:
        self.stores = [Store(), Store(), Store()]
        near, far, common = self.stores
        self.caches = [self._process(disk, common) for disk in (near, near, far)]
        self.cores = [each._source.core() for each in self.caches]
        self.stacks = [core.stack for core in self.cores]

    @staticmethod
    def _process(disk: Store, common: Store) -> TieredCache:
        tiers: list[Tier[Any]] = [
            MemoryTier(),
            ModelTier(disk, "disk", Reach.HOST),
            ModelTier(common, "redis", Reach.CLUSTER),
        ]
        # Time stands still: a process reads the log only when it is told to.
        return TieredCache(tiers, clock=FakeClock())

    def reset(self, older: Terms | None = None) -> None:
        """Empty all tiers, or keep "older" in the slowest only; all processes are up to date."""
        for shared in self.stores:
            shared.reset()
        if older is not None:
            run_alone(self.cores[2], store_value(self.stacks[2], "older", older))
            self.stores[1].reset()
        # A drop from a disk is a change for the other process of its host, so all read the log twice.
        for core in (*self.cores, *self.cores):
            hear(core)
            core.stack.levels[0].tier.clear()

    def values(self) -> list[Any]:
        """The values that the processes are served when all are up to date."""
        for core in self.cores:
            hear(core)
        return [cache.get(KEY) for cache in self.caches]


def hear(core: Core) -> None:
    for log in core.stack.logs.all:
        assert core._follower._catch_up(log)


def store_value(stack: Stack, value: str, terms: Terms | None = None) -> Any:
    return store(stack, {KEY: value}, terms or Terms())


def run_alone(core: Core, plan: Any) -> Any:
    return core._run(plan)


class Actor(NamedTuple):
    """A plan of one of the processes; its kind decides which values it may leave behind."""

    kind: str
    process: int


PLANS: dict[str, Callable[[Stack], Any]] = {
    "fill": lambda stack: get_or_compute(stack, KEY, Work(lambda: "older", Terms())),
    "fill with a tag": lambda stack: get_or_compute(stack, KEY, Work(lambda: "older", TAGGED)),
    "promotion": lambda stack: look_up(stack, KEY),
    "promotion with a tag": lambda stack: look_up(stack, KEY),
    "delete": lambda stack: delete(stack, [KEY]),
    "set": lambda stack: store_value(stack, f"newer, by {id(stack)}"),
    "clear": lambda stack: clear(stack, ""),
    "invalidation": lambda stack: invalidate_tags(stack, [TAG]),
}
CHANGES = ("delete", "set", "clear", "invalidation")


class Running:
    """The plan of an actor under way, one effect after the other."""

    def __init__(self, actor: Actor, core: Core) -> None:
        self.actor = actor
        self.core = core
        self.stack = core.stack
        self.done = 0
        self.over = False
        self.computed_at = -math.inf
        self._plan = PLANS[actor.kind](self.stack) if actor.kind in PLANS else None
        self._effect: Any = None
        self._driver: Any = core._run.__self__  # type: ignore[attr-defined] # a bound method

    def step(self, now: int) -> None:
        if self._plan is None:
            hear(self.core)
            self.over = True
            return
        try:
            if self.done == 0:
                self._effect = next(self._plan)
            if isinstance(self._effect, Compute):
                self.computed_at = now
            reply = self._driver._performers[type(self._effect)](self._effect)
            self.done += 1
            self._effect = self._plan.send(reply)
        except StopIteration:
            self.over = True
            if self.actor.kind in CHANGES:
                self.stack.flights.detach([KEY])


def length(actor: Actor, world: World) -> int:
    """The number of steps of a plan that runs alone."""
    world.reset(older_for([actor]))
    running = Running(actor, world.cores[actor.process])
    steps = 0
    while not running.over:
        running.step(steps)
        steps += 1
    return steps


def older_for(actors: Sequence[Actor]) -> Terms | None:
    """The terms of the older value that a promotion finds; `None` without a promotion."""
    kinds = {each.kind for each in actors}
    if "promotion with a tag" in kinds:
        return TAGGED
    return Terms() if "promotion" in kinds else None


def orders(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Every order of so many steps of each actor."""
    if not any(lengths):
        yield []
    for which, left in enumerate(lengths):
        if left:
            rest = [each - (index == which) for index, each in enumerate(lengths)]
            for order in orders(rest):
                yield [which, *order]


def sampled(lengths: Sequence[int], count: int) -> Iterator[list[int]]:
    chance = random.Random(repr(lengths))
    steps = [which for which, left in enumerate(lengths) for _ in range(left)]
    for _ in range(count):
        chance.shuffle(steps)
        yield list(steps)


def play(world: World, actors: Sequence[Actor], order: Sequence[int]) -> None:
    world.reset(older_for(actors))
    running = [Running(each, world.cores[each.process]) for each in actors]
    changed_at = math.inf
    now = 0
    for which in itertools.chain(order, *([index] * 30 for index in range(len(actors)))):
        each = running[which]
        # A change holds the key's lock in its process, which the one that hears waits for.
        if each.over or (each.actor.kind == "hear" and _is_changing(running, each)):
            continue
        now += 1
        if each.actor.kind in CHANGES:
            changed_at = min(changed_at, now)
        each.step(now)
    assert all(each.over for each in running)
    late = any(each.computed_at > changed_at for each in running)
    kinds = {each.kind for each in actors}
    values = world.values()
    assert len(set(values)) == 1, (order, values)
    if "set" in kinds and not kinds & {"delete", "clear"}:
        assert values[0] is not None, order
    if not late:
        assert values[0] != "older", order


def _is_changing(running: Sequence[Running], hearing: Running) -> bool:
    return any(
        each.actor.kind in CHANGES and each.stack is hearing.stack and each.done and not each.over
        for each in running
    )


SCENES = {
    "a fill and a delete, in one process": [Actor("fill", 0), Actor("delete", 0)],
    "a fill and a set, in one process": [Actor("fill", 0), Actor("set", 0)],
    "a fill and a clear, in one process": [Actor("fill", 0), Actor("clear", 0)],
    "a promotion and a delete, in one process": [Actor("promotion", 0), Actor("delete", 0)],
    "a promotion and a set, in one process": [Actor("promotion", 0), Actor("set", 0)],
    "a promotion and a clear, in one process": [Actor("promotion", 0), Actor("clear", 0)],
    **{
        f"a {read} and a {change} on {where}": [
            Actor(read, 0),
            Actor(change, process),
            Actor("hear", 0),
        ]
        for read in ("fill", "promotion")
        for change in ("delete", "set", "clear")
        for where, process in (("one host", 1), ("two hosts", 2))
    },
    **{
        f"a {read} with a tag and an invalidation {where}": [
            Actor(f"{read} with a tag", 0),
            Actor("invalidation", process),
            *[Actor("hear", 0)] * (process > 0),
        ]
        for read in ("fill", "promotion")
        for where, process in (("in one process", 0), ("on one host", 1), ("on two hosts", 2))
    },
    "two hosts set, and a third process hears": [
        Actor("set", 0),
        Actor("set", 2),
        Actor("hear", 1),
    ],
    "two sets": [Actor("set", 0), Actor("set", 1), Actor("hear", 0)],
    "a set and a delete elsewhere": [Actor("set", 0), Actor("delete", 2), Actor("hear", 1)],
    "a fill, a delete and a set": [Actor("fill", 0), Actor("delete", 1), Actor("set", 2)],
    "a fill, a clear and a delete": [Actor("fill", 0), Actor("clear", 2), Actor("delete", 1)],
    "a fill with a tag, an invalidation and a delete": [
        Actor("fill with a tag", 0),
        Actor("invalidation", 2),
        Actor("delete", 1),
    ],
    "two fills and a delete": [Actor("fill", 0), Actor("fill", 1), Actor("delete", 2)],
    "a promotion, a delete and a set": [Actor("promotion", 0), Actor("delete", 2), Actor("set", 1)],
    "a promotion, a clear and a fill": [Actor("promotion", 0), Actor("clear", 2), Actor("fill", 1)],
}


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def try_out(scene: str, world: World, most: float = ALL_UP_TO) -> None:
    """Play every order of a scene; where they are more than `most`, some of them."""
    actors = SCENES[scene]
    lengths = [length(each, world) for each in actors]
    for order in orders(lengths) if count(lengths) <= most else sampled(lengths, SAMPLE):
        play(world, actors, order)


def count(lengths: Sequence[int]) -> int:
    return math.factorial(sum(lengths)) // math.prod([math.factorial(each) for each in lengths])


@pytest.mark.proves("law-4/every-order")
@pytest.mark.parametrize("scene", SCENES)
def test_law_4_no_order_of_steps_leaves_anything_outdated(scene: str, world: World) -> None:
    try_out(scene, world)


@pytest.mark.proves("law-4/every-order")
@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("scene", SCENES)
def test_law_4_of_all_orders_of_steps_none_leaves_anything_outdated(
    scene: str, world: World
) -> None:
    try_out(scene, world, math.inf)


def put_unconditionally(self: Any, key: str, put: Put[Any]) -> bool:
    self._write(key, put.item)
    return True


def remember_put(original: Any) -> Any:
    def put_anyway(self: Any, key: str, put: Put[Any]) -> bool:
        stored: bool = original(self, key, put._replace(expected=ANY))
        return stored

    return put_anyway


def clear_without_a_trace(self: ModelTier, prefix: str = "") -> int:
    self.store.records.clear()
    self.store.changes.append(Change(self.origin(), prefix, is_prefix=True))
    return 1


def serve_without_a_tag_check(_: Stack, finding: Finding) -> Plan[Finding]:
    return finding
    yield


@pytest.mark.proves("law-4/every-order")
@pytest.mark.parametrize(
    ("guard", "scenes"),
    [
        ("the tokens of shared tiers", ["a fill and a delete on two hosts"]),
        ("the tokens of memory", ["a promotion and a delete, in one process"]),
        ("the generation", ["a fill and a clear on one host", "a fill and a clear on two hosts"]),
        ("the log", ["a promotion and a delete on one host"]),
        ("the versions of tags", ["a fill with a tag and an invalidation on two hosts"]),
        ("the tokens of a write between tiers", ["two hosts set, and a third process hears"]),
    ],
)
def test_without_a_guard_some_order_leaves_something_outdated(
    guard: str, scenes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    if guard == "the tokens of shared tiers":
        monkeypatch.setattr(ModelTier, "put", put_unconditionally)
    elif guard == "the tokens of memory":
        monkeypatch.setattr(MemoryTier, "put", remember_put(MemoryTier.put))
    elif guard == "the generation":
        monkeypatch.setattr(ModelTier, "clear", clear_without_a_trace)
    elif guard == "the log":
        monkeypatch.setattr(ModelTier, "read", lambda *_: ChangePage((), 0))
    elif guard == "the versions of tags":
        monkeypatch.setattr(reading, "check_tags", serve_without_a_tag_check)
    elif guard == "the tokens of a write between tiers":
        for stack in world.stacks:
            stack.between = ()
    for scene in scenes:
        with pytest.raises(AssertionError):
            try_out(scene, world)
