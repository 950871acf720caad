"""S3-FIFO, step by step, and against a simple model of its description."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiered_cache_policies.eviction._ghosts import Ghosts
from tiered_cache_policies.eviction.s3fifo import S3FIFO


def _used_up(maxsize: int = 20) -> S3FIFO[str, str]:
    """A full cache: `s0` and `s1` in the small queue, the rest in the main queue, `m0` oldest."""
    cache: S3FIFO[str, str] = S3FIFO(maxsize)
    for key in ["s0", "s1", *(f"m{number}" for number in range(maxsize - 2))]:
        cache[key] = key.upper()
    return cache


def test_the_small_queue_holds_a_tenth_and_the_rest_fills_the_main_one() -> None:
    cache = _used_up()
    proven = {key for key, node in cache.nodes.items() if node.proven}
    assert proven == {f"m{number}" for number in range(18)}


def test_entries_not_used_twice_leave_the_small_queue_first() -> None:
    cache = _used_up()
    cache.get("s0")
    cache["a"] = "A"
    assert "s0" not in cache, "one visit is not enough"
    assert cache.get("s1") == cache.get("s1") == "S1"
    cache["b"] = "B"
    assert "s1" in cache, "two are, and it moves to the main queue"
    assert cache.nodes["s1"].proven
    assert "a" not in cache, "the next of the small queue goes instead"


def test_a_ghost_comes_back_to_the_main_queue() -> None:
    cache = _used_up()
    cache["a"] = "A"
    assert "s0" not in cache
    cache["s0"] = "S0"
    assert cache.nodes["s0"].proven
    assert not cache.nodes["a"].proven


def test_the_main_queue_spares_once_for_each_of_three_visits() -> None:
    cache = _used_up(10)
    del cache["s0"]
    del cache["s1"]
    for _ in range(9):
        cache.get("m0")
    cache.get("m1")
    order = [cache.popitem()[0] for _ in range(8)]
    assert order == ["m2", "m3", "m4", "m5", "m6", "m7", "m1", "m0"]


def test_more_than_three_visits_do_not_count() -> None:
    cache = _used_up(10)
    for key in ("s0", "s1", *(f"m{n}" for n in range(2, 8))):
        del cache[key]
    for _ in range(9):
        cache.get("m0")
    for _ in range(3):
        cache.get("m1")
    assert cache.popitem()[0] == "m0", "both have used up three rounds, and m0 is the older"


def test_deleting_frees_room_in_the_queue_that_it_was_in() -> None:
    cache = _used_up()
    del cache["s0"]
    cache["a"] = "A"
    assert not cache.nodes["a"].proven
    assert cache.popitem()[0] == "s1"
    del cache["a"]
    assert cache.popitem()[0] == "m0", "the small queue is empty"


def test_room_that_comes_later_is_not_for_the_main_queue() -> None:
    cache = _used_up()
    cache["a"] = "A"
    for key in ("m0", "m1", "m2"):
        del cache[key]
    cache["b"] = "B"
    assert not cache.nodes["b"].proven, "though the small queue is full"


def test_a_ghost_is_remembered_for_nine_tenths_of_the_entries() -> None:
    for newcomers, comes_back in ((18, True), (19, False)):
        cache = _used_up()
        for number in range(newcomers):
            cache[f"n{number}"] = ""
        cache["s0"] = ""
        assert cache.nodes["s0"].proven is comes_back


def test_sizes_count_in_each_queue() -> None:
    cache: S3FIFO[str, int] = S3FIFO(100, getsizeof=lambda size: size)
    cache["small"] = 10
    cache["main"] = 60
    cache["other"] = 30
    assert [node.proven for node in cache.nodes.values()] == [False, True, True]
    cache["small"] = 5
    cache["main"] = 65
    assert (len(cache), cache.currsize) == (3, 100)
    cache["new"] = 1
    assert list(cache) == ["small", "main", "new"], "the small queue was not full: main lost one"
    assert cache.currsize == 71


def test_an_infinite_one_evicts_when_it_is_told_to() -> None:
    cache: S3FIFO[int, int] = S3FIFO(float("inf"))
    cache.update((number, number) for number in range(30))
    assert [cache.popitem()[0] for _ in range(30)] == list(range(30))


@pytest.mark.proves("eviction/ghosts")
@pytest.mark.parametrize("sized", [False, True])
def test_law_10_ghosts_are_bounded(sized: bool) -> None:
    cache: S3FIFO[int, int] = S3FIFO(100, getsizeof=(lambda size: size) if sized else None)
    for number in range(20_000):
        key = number if number % 3 else number // 7
        cache[key] = key % 3 if sized else 0
        cache.get(key)
    ghosts = cache._ghosts
    held = len(cache)
    assert len(ghosts.keys) <= held * 1.2 + 64
    assert len(ghosts.order) <= 3 * held + 128


def test_clear_lets_values_go_at_once_and_forgets_ghosts() -> None:
    class Value:
        pass

    cache: S3FIFO[int, Value] = S3FIFO(20)
    gone = []
    for number in range(40):
        cache[number] = value = Value()
        gone.append(weakref.ref(value))
        del value
    gc.disable()
    try:
        cache.clear()
        assert [ref() for ref in gone] == [None] * 40
    finally:
        gc.enable()
    cache[0] = Value()
    assert not cache.nodes[0].proven


def test_duplicates_keep_queues_ghosts_and_visits() -> None:
    source = _used_up()
    source["a"] = "A"
    for key in ("a", "m0", "m3", "m3"):
        source.get(key)
    source["m17"] = "again"
    for twin in (pickle.loads(pickle.dumps(source)), copy.copy(source), copy.deepcopy(source)):
        twin["s0"] = "S0"
        assert twin.nodes["s0"].proven, "the ghost was remembered"
        del twin["s0"]
        again = copy.copy(source)
        expected = [again.popitem() for _ in range(len(again))][1:]
        assert len(twin) == len(source) - 1
        assert [twin.popitem() for _ in range(len(twin))] == expected
    source["s0"] = "S0"
    assert source.nodes["s0"].proven, "the duplicates have ghosts of their own"


class _Model:
    """S3-FIFO as lists, oldest first; slow and simple."""

    def __init__(self, maxsize: int) -> None:
        self.maxsize = maxsize
        self.small: list[int] = []
        self.main: list[int] = []
        self.visits: dict[int, int] = {}
        self.ghosts: list[int] = []
        self.any_ghost = False

    def insert(self, key: int) -> None:
        known = key in self.ghosts
        if known:
            self.ghosts.remove(key)
        while len(self.visits) >= self.maxsize:
            self.evict()
        filling = not self.any_ghost and len(self.small) >= max(self.maxsize // 10, 1)
        (self.main if known or filling else self.small).append(key)
        self.visits[key] = 0

    def evict(self) -> int:
        if len(self.main) <= self.maxsize - max(self.maxsize // 10, 1):
            while self.small:
                key = self.small.pop(0)
                if self.visits[key] < 2:
                    self.any_ghost = True
                    self.ghosts = [*self.ghosts, key][
                        max(0, len(self.ghosts) + 1 - int(self.maxsize * 0.9)) :
                    ]
                    del self.visits[key]
                    return key
                self.visits[key] = 0
                self.main.append(key)
        while self.visits[self.main[0]]:
            key = self.main.pop(0)
            self.visits[key] = min(self.visits[key], 3) - 1
            self.main.append(key)
        key = self.main.pop(0)
        del self.visits[key]
        return key

    def delete(self, key: int) -> None:
        (self.small if key in self.small else self.main).remove(key)
        del self.visits[key]


@pytest.mark.proves("eviction/s3fifo")
@given(
    st.integers(1, 25),
    st.lists(
        st.tuples(st.sampled_from(["use"] * 6 + ["delete"]), st.integers(0, 35)), max_size=200
    ),
)
def test_it_agrees_with_the_model(maxsize: int, steps: list[tuple[str, int]]) -> None:
    cache, model = S3FIFO[int, int](maxsize), _Model(maxsize)
    for step, key in steps:
        if step == "use" and key in cache:
            assert cache[key] == key
            model.visits[key] += 1
        elif step == "use":
            cache[key] = key
            model.insert(key)
        elif key in cache:
            del cache[key]
            model.delete(key)
        nodes: dict[int, Any] = cache.nodes
        assert {key: node.visits for key, node in nodes.items()} == model.visits
        assert {key for key, node in nodes.items() if node.proven} == set(model.main)
        assert cache.currsize == len(cache) <= maxsize
    while model.visits:
        assert cache.popitem()[0] == model.evict()


def test_each_place_of_a_key_that_came_back_is_skipped_once() -> None:
    ghosts = Ghosts[str]()

    def remember(keys: str) -> None:
        for key in keys:
            ghosts.keys[key] = None
            ghosts.order.append(key)

    for _ in range(3):
        remember("a")
        assert ghosts.recall("a", 3)
    remember("abcd")
    ghosts.trim(3)
    assert (list(ghosts.keys), list(ghosts.order)) == (["b", "c", "d"], ["b", "c", "d"])
    remember("e")
    assert not ghosts.copy().recall("b", 3)
    assert ghosts.recall("c", 3)
    assert not ghosts.copy()._recalled.get("a")


@given(st.lists(st.tuples(st.sampled_from("ar"), st.integers(0, 12)), max_size=400))
def test_ghosts_are_the_last_that_were_added(steps: list[tuple[str, int]]) -> None:
    length, ghosts, model = 5, Ghosts[int](), list[int]()
    for step, key in steps:
        known = key in ghosts.keys and ghosts.recall(key, length)
        assert known == (key in model)
        if known:
            model.remove(key)
        if step == "a":
            ghosts.keys[key] = None
            ghosts.order.append(key)
            if len(ghosts.order) > ghosts.enough:
                ghosts.trim(length)
            model = [*model, key][-length:]
        assert len(ghosts.order) <= 2 * 64 + 2 * length


def test_evictions_below_the_size_limit_come_from_both_queues() -> None:
    cache: S3FIFO[str, int] = S3FIFO(1_000_000, getsizeof=lambda size: size)

    def use(key: str) -> None:
        """Limits the number of entries to 20 as well, as a tier does."""
        if cache.get(key) is None:
            cache[key] = 10
            while len(cache) > 20:
                cache.popitem()

    for key in [f"popular {number}" for number in range(20)] * 3:
        use(key)
    for number in range(10):
        use(f"new {number}")
    assert [key for key, node in cache.nodes.items() if not node.proven] == ["new 8", "new 9"]
    assert len(cache) == 20
