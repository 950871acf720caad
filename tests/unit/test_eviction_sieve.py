"""SIEVE, step by step, and against a simple model of its description."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiered_cache_policies.eviction.sieve import Sieve


def _filled(keys: str, maxsize: float | None = None) -> Sieve[str, str]:
    sieve: Sieve[str, str] = Sieve(len(keys) if maxsize is None else maxsize)
    for key in keys:
        sieve[key] = key.upper()
    return sieve


def test_unvisited_entries_go_first_in_first_out() -> None:
    sieve = _filled("abc")
    assert [sieve.popitem() for _ in range(3)] == [("a", "A"), ("b", "B"), ("c", "C")]


def test_a_visited_entry_is_spared_once_where_it_stands() -> None:
    sieve = _filled("abcd")
    assert sieve["a"] == "A"
    assert sieve["c"] == "C"
    assert sieve.popitem()[0] == "b", "the hand passed a, and found b"
    assert sieve.popitem()[0] == "d", "the hand went on over c, and did not go back to a"
    assert sieve.popitem()[0] == "a", "from the newest it goes on at the oldest"
    assert sieve.popitem()[0] == "c"


def test_the_hand_stays_where_it_evicted() -> None:
    sieve = _filled("abcde")
    for key in "ab":
        sieve.get(key)
    sieve["f"] = "F"
    assert "c" not in sieve
    sieve["g"] = "G"
    assert "d" not in sieve
    assert list(sieve) == ["a", "b", "e", "f", "g"]


def test_after_the_newest_was_evicted_the_hand_starts_at_the_oldest() -> None:
    sieve = _filled("abc")
    for key in "ab":
        sieve.get(key)
    assert sieve.popitem()[0] == "c"
    sieve["d"] = "D"
    assert sieve.popitem()[0] == "a"


@pytest.mark.parametrize("deleted", "abcde")
def test_deleting_the_entry_under_the_hand_moves_the_hand_on(deleted: str) -> None:
    sieve = _filled("abcde")
    for key in "ab":
        sieve.get(key)
    assert sieve.popitem()[0] == "c", "the hand now points at d"
    if deleted == "c":
        return
    del sieve[deleted]
    order = [sieve.popitem()[0] for _ in range(3)]
    assert order == [key for key in "deab" if key != deleted]


def test_new_entries_stand_before_the_hand_and_wait_for_it() -> None:
    sieve = _filled("abc")
    sieve.get("a")
    for key, left in [("d", "acd"), ("e", "ade"), ("f", "aef"), ("g", "afg")]:
        sieve[key] = key.upper()
        assert "".join(sieve) == left


def test_when_all_entries_were_visited_the_oldest_goes() -> None:
    sieve = _filled("abc")
    for key in "abc" * 3:
        sieve.get(key)
    assert sieve.popitem()[0] == "a"


def test_reads_and_writes_count_as_visits() -> None:
    sieve = _filled("a", maxsize=2)
    node = sieve.nodes["a"]
    assert "a" in sieve
    assert list(sieve) == ["a"]
    assert len(sieve) == 1
    assert "'a'" in repr(sieve)
    assert sieve.get("b") is None
    copy.copy(sieve)
    pickle.dumps(sieve)
    assert node.visits == 0
    assert sieve["a"] == sieve.get("a") == sieve.setdefault("a", "x") == "A"
    assert node.visits == 3
    sieve["a"] = "B"
    assert (node.visits, node.value) == (4, "B")


def test_the_hand_moves_visits_into_the_total() -> None:
    sieve = _filled("ab")
    for _ in range(3):
        sieve.get("a")
    sieve["c"] = "C"
    node = sieve.nodes["a"]
    assert (node.visits, node.total_visits) == (0, 3)
    sieve.get("a")
    assert (node.visits, node.total_visits) == (1, 3)


def test_growing_a_value_spares_it() -> None:
    sieve: Sieve[str, int] = Sieve(10, getsizeof=lambda size: size)
    sieve.update(a=3, b=3, c=3)
    sieve["a"] = 6
    assert dict(sieve.items()) == {"a": 6, "c": 3}
    assert sieve.currsize == 9


def test_a_value_may_have_to_leave_to_make_room_for_its_successor() -> None:
    sieve: Sieve[str, int] = Sieve(10, getsizeof=lambda size: size)
    sieve.update(a=3, b=3)
    sieve.get("b")
    sieve["a"] = 10
    assert (dict(sieve.items()), sieve.currsize) == ({"a": 10}, 10)
    assert sieve.popitem() == ("a", 10)
    assert (sieve.currsize, len(sieve)) == (0, 0)


def test_a_size_of_zero_always_fits() -> None:
    sieve: Sieve[str, int] = Sieve(0, getsizeof=lambda size: size)
    sieve.update(a=0, b=0)
    assert (len(sieve), sieve.currsize) == (2, 0)


def test_clear_lets_values_go_at_once() -> None:
    class Value:
        pass

    sieve: Sieve[int, Value] = Sieve(3)
    gone = []
    for number in range(3):
        sieve[number] = value = Value()
        gone.append(weakref.ref(value))
        del value
    gc.disable()
    try:
        sieve.clear()
        assert [ref() for ref in gone] == [None] * 3
    finally:
        gc.enable()


def test_an_evicted_value_is_released_at_once() -> None:
    class Value:
        pass

    sieve: Sieve[int, Value] = Sieve(1)
    sieve[0] = value = Value()
    gone = weakref.ref(value)
    del value
    gc.disable()
    try:
        sieve[1] = Value()
        assert gone() is None
    finally:
        gc.enable()


def test_a_pickle_keeps_the_hand_and_the_visits() -> None:
    sieve = _filled("abcd")
    for key in "ab":
        sieve.get(key)
    sieve.popitem()
    sieve.get("b")
    for twin in (pickle.loads(pickle.dumps(sieve)), copy.copy(sieve), copy.deepcopy(sieve)):
        state = {key: (n.visits, n.total_visits) for key, n in twin.nodes.items()}
        assert state == {"a": (0, 1), "b": (1, 1), "d": (0, 0)}
        assert [twin.popitem()[0] for _ in range(3)] == ["d", "a", "b"]
    assert len(sieve) == 3


class _Model:
    """SIEVE as a list, oldest first, and an index; slow and simple."""

    def __init__(self, maxsize: int) -> None:
        self.maxsize = maxsize
        self.queue: list[list[Any]] = []  # [key, visited]
        self.hand = 0

    def keys(self) -> list[Any]:
        return [key for key, _ in self.queue]

    def visit(self, key: int) -> None:
        self.queue[self.keys().index(key)][1] = True

    def insert(self, key: int) -> None:
        while len(self.queue) >= self.maxsize:
            self.evict()
        self.queue.append([key, False])

    def evict(self) -> Any:
        if self.hand >= len(self.queue):
            self.hand = 0
        while self.queue[self.hand][1]:
            self.queue[self.hand][1] = False
            self.hand = (self.hand + 1) % len(self.queue)
        key = self.queue.pop(self.hand)[0]
        if self.hand >= len(self.queue):
            self.hand = 0
        return key

    def delete(self, key: int) -> None:
        place = self.keys().index(key)
        del self.queue[place]
        if place < self.hand:
            self.hand -= 1
        elif self.hand >= len(self.queue):
            self.hand = 0


@pytest.mark.proves("eviction/sieve")
@given(
    st.integers(1, 6),
    st.lists(
        st.tuples(st.sampled_from(["use", "use", "use", "delete", "evict"]), st.integers(0, 9))
    ),
)
def test_it_agrees_with_the_model(maxsize: int, steps: list[tuple[str, int]]) -> None:
    sieve, model = Sieve[int, int](maxsize), _Model(maxsize)
    for step, key in steps:
        held = key in sieve
        if step == "use" and held:
            assert sieve[key] == key
            model.visit(key)
        elif step == "use":
            sieve[key] = key
            model.insert(key)
        elif step == "delete" and held:
            del sieve[key]
            model.delete(key)
        elif step == "evict" and len(sieve):
            assert sieve.popitem()[0] == model.evict()
        assert list(sieve) == model.keys()
        assert [bool(node.visits) for node in sieve.nodes.values()] == [v for _, v in model.queue]
        assert sieve.currsize == len(sieve) <= maxsize
