"""ARC, step by step, and against a model of the figure in the paper."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiered_cache_policies.eviction.arc import ARC

if TYPE_CHECKING:
    from collections.abc import Iterable


def _replay(cache: ARC[Any, Any], keys: Iterable[Any]) -> ARC[Any, Any]:
    for key in keys:
        if key in cache:
            cache[key]
        else:
            cache[key] = key
    return cache


def test_a_scan_does_not_evict_reused_entries() -> None:
    cache = _replay(ARC(10), [*"abcd", *"abcd", *range(1000)])
    assert {*"abcd"} <= set(cache)


def test_a_hit_in_the_once_ghosts_makes_room_for_new_entries() -> None:
    cache = _replay(ARC(4), "abab" + "cdef")
    assert sorted(cache) == ["a", "b", "e", "f"]
    cache["c"] = "c"
    assert "e" not in cache, "f is all that may stay"
    cache["d"] = "d"
    assert sorted(cache) == ["b", "c", "d", "f"], "and for two there is room"


def test_a_hit_in_the_again_ghosts_takes_that_room_back() -> None:
    cache = _replay(ARC(4), "abab" + "cdef" + "cd")
    assert sorted(cache) == ["b", "c", "d", "f"]
    cache["a"] = "a"
    assert sorted(cache) == ["a", "b", "c", "d"], "at the target, a ghost like a decides"


def test_a_replaced_value_is_used_and_spared() -> None:
    cache: ARC[str, int] = ARC(10, getsizeof=lambda size: size)
    cache.update(a=3, b=3, c=3)
    cache["a"] = 6
    assert list(cache) == ["a", "c"]
    cache.update(d=1, e=1)
    assert list(cache) == ["a", "d", "e"]


def test_a_value_may_have_to_leave_to_make_room_for_its_successor() -> None:
    cache: ARC[str, int] = ARC(10, getsizeof=lambda size: size)
    cache.update(a=3, b=3)
    assert cache["b"] == 3
    cache["a"] = 10
    assert (dict(cache.items()), cache.currsize) == ({"a": 10}, 10)
    assert cache.popitem() == ("a", 10)
    assert (cache.currsize, len(cache)) == (0, 0)


def test_duplicates_keep_the_ghosts_and_the_target_to_themselves() -> None:
    source = _replay(ARC(4), "abab" + "cdef")
    twins = [pickle.loads(pickle.dumps(source)), copy.copy(source), copy.deepcopy(source)]
    for twin in twins:
        twin["c"] = "c"
        assert sorted(twin) == ["a", "b", "c", "f"]
        assert sorted(source) == ["a", "b", "e", "f"]


def test_clear_forgets_the_ghosts() -> None:
    cache = _replay(ARC(4), "abab" + "cdef")
    cache.clear()
    assert sorted(_replay(cache, "abab" + "cdec")) == ["a", "b", "c", "e"]
    assert cache._target == 1, "c is a ghost once more, and only since"


def test_a_value_that_is_refused_leaves_nothing_behind() -> None:
    cache: ARC[str, int] = ARC(10, getsizeof=lambda size: size)
    cache.update(a=4, b=4, c=4)
    for key in ("a", "new"):
        try:
            cache[key] = 11
        except ValueError:
            pass
        else:
            raise AssertionError("too large")
        assert key not in cache
    assert not cache._for_again
    assert dict(cache.items()) == {"b": 4, "c": 4}


@pytest.mark.proves("eviction/ghosts")
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 6), st.booleans()), max_size=300))
def test_law_10_the_lists_are_bounded_and_add_up(steps: list[tuple[int, int, bool]]) -> None:
    cache: ARC[int, int] = ARC(20, getsizeof=lambda size: size)
    for key, size, keep in steps:
        if keep:
            cache[key] = size
        elif key in cache:
            del cache[key]
        lists = (cache._once, cache._again, cache._once_ghosts, cache._again_ghosts)
        for each in lists:
            assert each.used == sum(each.sizes.values())
        assert {*cache._once.sizes, *cache._again.sizes} == set(cache)
        assert cache._once.used + cache._again.used == cache.currsize
        assert cache._once.used + cache._once_ghosts.used <= 20
        assert sum(each.used for each in lists) <= 40
        assert sum(len(each.sizes) for each in lists) == len({k for e in lists for k in e.sizes})
        assert 0 <= cache._target <= 20


class _Paper:
    """ARC(c) of the paper; the most recently used key is first in a list."""

    def __init__(self, c: int) -> None:
        self.c, self.p = c, 0.0
        self.t1: list[int] = []
        self.t2: list[int] = []
        self.b1: list[int] = []
        self.b2: list[int] = []

    def replace(self, x: int) -> None:
        if self.t1 and (len(self.t1) > self.p or (x in self.b2 and len(self.t1) == self.p)):
            self.b1.insert(0, self.t1.pop())
        else:
            self.b2.insert(0, self.t2.pop())

    def request(self, x: int) -> None:
        t1, t2, b1, b2 = self.t1, self.t2, self.b1, self.b2
        if x in t1 or x in t2:
            (t1 if x in t1 else t2).remove(x)
            t2.insert(0, x)
        elif x in b1:
            self.p = min(self.c, self.p + max(len(b2) / len(b1), 1))
            self.replace(x)
            b1.remove(x)
            t2.insert(0, x)
        elif x in b2:
            self.p = max(0, self.p - max(len(b1) / len(b2), 1))
            self.replace(x)
            b2.remove(x)
            t2.insert(0, x)
        else:
            self.miss(x)

    def miss(self, x: int) -> None:
        first = len(self.t1) + len(self.b1)
        if first == self.c:
            if len(self.t1) < self.c:
                self.b1.pop()
                self.replace(x)
            else:
                self.t1.pop()
        elif first + len(self.t2) + len(self.b2) >= self.c:
            if first + len(self.t2) + len(self.b2) == 2 * self.c:
                self.b2.pop()
            self.replace(x)
        self.t1.insert(0, x)


@pytest.mark.proves("eviction/arc")
@given(st.integers(1, 8), st.lists(st.integers(0, 20), max_size=300))
def test_it_agrees_with_the_algorithm_of_the_paper(maxsize: int, keys: list[int]) -> None:
    cache, paper = ARC[int, int](maxsize), _Paper(maxsize)
    for key in keys:
        _replay(cache, [key])
        paper.request(key)
        assert list(cache._once.sizes) == paper.t1[::-1]
        assert list(cache._again.sizes) == paper.t2[::-1]
        assert list(cache._once_ghosts.sizes) == paper.b1[::-1]
        assert list(cache._again_ghosts.sizes) == paper.b2[::-1]
        assert cache._target == paper.p
