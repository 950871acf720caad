"""GDSF: the order of its evictions, and the seconds that it saves on traces with sizes and costs."""

from __future__ import annotations

import copy
import math
import pickle
import random
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.traces.catalog import DEMO, needs_public, public_sized
from tests.traces.generated import generate_sized
from tiered_cache.policies import GDSF, LRU
from tiered_cache.traces import read_trace, replay

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class _Result(NamedTuple):
    cost: float
    size: float = 1


def _cost_of(value: _Result) -> float:
    return value.cost


def _size_of(value: _Result) -> float:
    return value.size


def _gdsf(maxsize: float) -> GDSF[Any, _Result]:
    return GDSF(maxsize, getsizeof=_size_of, getcost=_cost_of)


def test_the_cheapest_goes_first() -> None:
    cache = _gdsf(3)
    cache.update(a=_Result(3), b=_Result(1), c=_Result(2))
    assert [cache.popitem()[0] for _ in range(3)] == ["b", "c", "a"]


def test_the_largest_goes_first_where_costs_are_the_same() -> None:
    cache: GDSF[str, int] = GDSF(10, getsizeof=lambda size: size)
    cache.update(a=1, b=5, c=2)
    assert [cache.popitem()[0] for _ in range(3)] == ["b", "c", "a"]


def test_uses_count_as_often_as_they_were() -> None:
    cache = _gdsf(3)
    cache.update(a=_Result(5), b=_Result(2), c=_Result(3))
    for _ in range(3):
        cache.get("b")
    assert [cache.popitem()[0] for _ in range(3)] == ["c", "a", "b"]


def test_equals_go_first_in_first_out_unless_used() -> None:
    cache: GDSF[str, int] = GDSF(4)
    cache.update(a=1, b=1, c=1, d=1)
    cache.get("a")
    cache.get("c")
    assert [cache.popitem()[0] for _ in range(4)] == ["b", "d", "a", "c"]


def test_unused_entries_are_overtaken() -> None:
    cache = _gdsf(2)
    cache["costly"] = _Result(10)
    for number in range(10):
        cache[number] = _Result(1)
        assert "costly" in cache
    cache["last"] = _Result(1)
    cache["later"] = _Result(1)
    assert "costly" not in cache


def test_a_replaced_value_is_weighed_again() -> None:
    cache = _gdsf(3)
    cache.update(a=_Result(9), b=_Result(4))
    cache["a"] = _Result(1)
    assert cache.popitem()[0] == "a", "1 second used twice is less than 4 used once"
    cache["b"] = _Result(4, size=2)
    cache["c"] = _Result(5)
    assert cache.popitem()[0] == "b"


@pytest.mark.parametrize("cost", [0.0, -1.0, math.nan, -math.inf])
def test_entries_without_a_cost_are_evicted_first(cost: float) -> None:
    cache = _gdsf(3)
    cache.update(a=_Result(cost), b=_Result(1e-9), c=_Result(cost))
    assert [cache.popitem()[0] for _ in range(3)] == ["a", "c", "b"]


def test_entries_of_zero_size_or_infinite_cost_go_last_and_stop_no_clock() -> None:
    cache = _gdsf(2)
    cache.update(a=_Result(1, size=0), b=_Result(math.inf), c=_Result(1))
    assert [cache.popitem()[0] for _ in range(3)] == ["c", "a", "b"]
    cache.update(d=_Result(2), e=_Result(1))
    assert [cache.popitem()[0] for _ in range(2)] == ["e", "d"]


def test_a_cost_that_can_not_be_told_changes_nothing() -> None:
    def fail(_: Any) -> float:
        raise RuntimeError("no idea")

    cache = _gdsf(2)
    cache.update(a=_Result(1), b=_Result(2))
    cache.getcost = fail
    for key in ("a", "new"):
        with pytest.raises(RuntimeError, match="no idea"):
            cache[key] = _Result(5)
    assert dict(cache.items()) == {"a": _Result(1), "b": _Result(2)}


@pytest.mark.parametrize("kind", ["pickle", "copy", "deepcopy"])
def test_duplicates_have_a_heap_of_their_own(kind: str) -> None:
    duplicate: dict[str, Any] = {
        "pickle": lambda cache: pickle.loads(pickle.dumps(cache)),
        "copy": copy.copy,
        "deepcopy": copy.deepcopy,
    }
    source = _gdsf(5)
    source.update({number: _Result(number) for number in range(8)})
    source.get(3)
    twin = duplicate[kind](source)
    order = [source.popitem()[0] for _ in range(5)]
    source["new"] = _Result(1)
    assert [twin.popitem()[0] for _ in range(5)] == order


@pytest.mark.proves("eviction/ghosts")
def test_law_10_the_heap_is_bounded() -> None:
    cache = _gdsf(50)
    rng = random.Random(1)
    for _ in range(5000):
        key = rng.randrange(60)
        if rng.random() < 0.4:
            cache.pop(key, None)
        else:
            cache[key] = _Result(rng.random())
            cache.get(key)
        assert len(cache._heap) <= 2 * len(cache) + 65


@pytest.mark.proves("eviction/gdsf")
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "put", "get", "delete"]),
            st.integers(0, 12),
            st.integers(0, 9),
            st.integers(0, 4),
        ),
        max_size=200,
    )
)
def test_evictions_are_in_the_order_of_the_priorities(
    steps: list[tuple[str, int, int, int]],
) -> None:
    cache = _gdsf(15)
    clock, credited = 0.0, dict[int, float]()

    def priority(key: int) -> float:
        """The priority by the present clock and all credited visits."""
        node = cache.nodes[key]
        cost, size = node.value
        weight = cost / size if cost and size else math.inf if cost else 0.0
        return clock + (1 + node.total_visits) * weight

    def popitem() -> tuple[int, _Result]:
        nonlocal clock
        visited = {key for key, node in cache.nodes.items() if node.visits}
        unvisited = [credited[key] for key in cache if key not in visited]
        gone, value = evict()
        mine = credited.pop(gone)
        assert gone not in visited or not unvisited or mine <= min(unvisited)
        if gone not in visited:
            assert mine == min(unvisited)
        for key in visited & set(cache):
            if not cache.nodes[key].visits:  # it was credited instead of evicted
                credited[key] = priority(key)
                assert gone in visited or credited[key] >= mine
        if gone not in visited and mine < math.inf:
            clock = mine
        elif gone in visited:
            clock = cache._clock
        return gone, value

    evict = cache.popitem
    setattr(cache, "popitem", popitem)  # noqa: B010 - a method can't be assigned to
    for step, key, cost, size in steps:
        if step == "put":
            cache[key] = _Result(cost, size)
            credited[key] = priority(key)
        elif step == "get":
            cache.get(key)
        elif key in cache:
            del cache[key]
            del credited[key]
        assert set(credited) == set(cache)
        assert clock == cache._clock


def _seconds_saved(cache: Any, accesses: list[tuple[int, _Result]]) -> float:
    saved = 0.0
    for key, value in accesses:
        if key in cache:
            saved += cache[key].cost
        elif value.size <= cache.maxsize:
            cache[key] = value
    return saved


def _accesses(cost: str, sized: Sequence[tuple[int, int]]) -> list[tuple[int, _Result]]:
    rng = random.Random(7)
    kinds: dict[str, Callable[[int], float]] = {
        "spread": lambda _: 10 ** rng.uniform(-3, 3),
        "by size": lambda size: size * 10 ** rng.uniform(-6, -4),
        "the same": lambda _: 1.0,
    }
    values = {key: _Result(kinds[cost](size), size) for key, size in dict(sized).items()}
    return [(key, values[key]) for key, _ in sized]


def _assert_saves_more_than_lru(cost: str, sized: Sequence[tuple[int, int]]) -> None:
    """GDSF saves a tenth more than LRU, at a thousandth, a hundredth and a tenth of all bytes."""
    accesses = _accesses(cost, sized)
    everything = sum(dict(sized).values())
    for maxsize in (everything // 1000, everything // 100, everything // 10):
        lru = _seconds_saved(LRU(maxsize, getsizeof=_size_of), accesses)
        gdsf = _seconds_saved(_gdsf(maxsize), accesses)
        assert gdsf > 1.1 * lru, (maxsize, gdsf, lru)


@pytest.mark.proves("eviction/gdsf")
@pytest.mark.parametrize("cost", ["spread", "by size", "the same"])
@pytest.mark.parametrize("trace", ["once", "drift"])
def test_it_saves_more_than_lru_at_equal_bytes(trace: str, cost: str) -> None:
    _assert_saves_more_than_lru(cost, generate_sized(trace))


@pytest.mark.proves("eviction/gdsf")
@pytest.mark.parametrize("percent", [1, 2, 5, 10, 20])
def test_it_saves_more_seconds_of_the_demo_than_lru_at_equal_bytes(percent: int) -> None:
    trace = read_trace(DEMO)
    maxsize = trace.volume * percent // 100
    assert replay(trace, GDSF, maxsize).saved_s > 1.1 * replay(trace, LRU, maxsize).saved_s


@pytest.mark.exhaustive
@needs_public
@pytest.mark.parametrize("cost", ["spread", "by size", "the same"])
def test_it_saves_more_than_lru_at_equal_bytes_on_a_public_trace(cost: str) -> None:
    _assert_saves_more_than_lru(cost, public_sized())
