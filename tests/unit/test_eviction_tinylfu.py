"""W-TinyLFU: the comparison, the sketch, the halving of counts, and the climb of the window."""

from __future__ import annotations

import copy
import gc
import pickle
import random
import weakref
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiered_cache_policies.eviction._climber import Climber
from tiered_cache_policies.eviction._frequency import MOST, Frequency
from tiered_cache_policies.eviction.tinylfu import TinyLFU


def _filled(keys: str, maxsize: float | None = None) -> TinyLFU[str, str]:
    policy: TinyLFU[str, str] = TinyLFU(len(keys) if maxsize is None else maxsize)
    for key in keys:
        policy[key] = key.upper()
    return policy


def test_a_newcomer_does_not_replace_an_entry_used_as_often() -> None:
    policy = _filled("abcd")
    assert policy.popitem()[0] == "d", "the window has room for one; a has been used as often"
    policy["e"] = "E"
    policy["f"] = "F"
    assert sorted(policy) == ["a", "b", "c", "f"]


@pytest.mark.proves("eviction/tinylfu")
def test_a_newcomer_that_was_used_more_often_replaces_the_oldest() -> None:
    policy = _filled("abcd")
    assert policy["d"] == "D"
    policy["e"] = "E"
    assert sorted(policy) == ["b", "c", "d", "e"]


def test_uses_are_remembered_after_an_eviction() -> None:
    policy = _filled("abcd")
    for _ in range(2):
        policy["x"] = "X"
        policy["y"] = "Y"
    # So far x and y came twice, and the entries of the main part once.
    assert {"x", "y"} <= set(policy)


def test_entries_used_on_probation_are_protected_from_a_scan() -> None:
    policy: TinyLFU[object, None] = TinyLFU(100)
    for key in range(100):
        policy[key] = None
    for key in range(50):
        assert policy[key] is None
    for key in range(1000, 5000):
        policy[key] = None
    assert set(range(50)) <= set(policy)


def test_entries_used_alike_can_still_be_evicted() -> None:
    policy = _filled("abcdef")
    for key in "abcdef" * 5:
        policy.get(key)
    for number in range(6):
        policy.popitem()
        assert len(policy) == 5 - number
    with pytest.raises(KeyError, match="empty"):
        policy.popitem()


def test_the_most_popular_of_the_past_is_forgotten() -> None:
    policy: TinyLFU[object, None] = TinyLFU(20)
    for key in range(20):
        policy[key] = None
        for _ in range(100):
            policy.get(key)
    rng = random.Random(1)
    for _ in range(4000):
        key = rng.randrange(100, 120)
        if policy.get(key, 0) == 0:
            policy[key] = None
    assert not set(range(20)) & set(policy)


def test_a_newcomer_of_any_size_is_compared() -> None:
    policy: TinyLFU[str, int] = TinyLFU(1000, getsizeof=lambda size: size)
    for number in range(10):
        policy[f"good-{number}"] = 90
    for number in range(10):
        for _ in range(3):
            assert policy[f"good-{number}"] == 90
    for number in range(50):
        policy[f"scan-{number}"] = 70
    assert sum(key.startswith("good") for key in policy) == 10


def test_segments_add_up_after_random_calls() -> None:
    policy: TinyLFU[int, int] = TinyLFU(60, getsizeof=lambda size: size)
    rng = random.Random(2)
    for _ in range(5000):
        key = rng.randrange(40)
        if rng.random() < 0.1:
            policy.pop(key, None)
        elif rng.random() < 0.5:
            policy[key] = rng.randrange(8)
        else:
            policy.get(key)
        segments = (policy._window, policy._probation, policy._protected)
        assert sum(segment.size for segment in segments) == policy.currsize
        assert len(list(policy._in_order())) == len(policy)


def test_clear_lets_values_go_at_once_and_forgets() -> None:
    class Value:
        pass

    policy: TinyLFU[int, Value] = TinyLFU(3)
    gone = []
    for number in range(5):
        policy[number] = value = Value()
        gone.append(weakref.ref(value))
        del value
    gc.disable()
    try:
        policy.clear()
        assert [ref() for ref in gone] == [None] * 5
    finally:
        gc.enable()
    assert policy._frequency.counts == Frequency(3, sized=False).counts


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))]
)
def test_a_duplicate_goes_on_as_the_original_would(duplicate: Any) -> None:
    def replay(policy: TinyLFU[int, int], seed: int) -> list[int]:
        rng = random.Random(seed)
        for _ in range(3000):
            key = int(rng.paretovariate(0.7))
            if key in policy:
                policy[key]
            else:
                policy[key] = key
        return list(policy)

    policy: TinyLFU[int, int] = TinyLFU(50)
    replay(policy, 1)
    twin = duplicate(policy)
    again = duplicate(policy)
    assert replay(twin, 2) == replay(again, 2)
    assert sorted(replay(policy, 2)) == sorted(twin)


def test_the_window_grows_where_recency_pays() -> None:
    policy: TinyLFU[int, None] = TinyLFU(100)
    rng = random.Random(4)
    for number in range(60_000):
        # Each key comes back about once, soon, and never again: its frequency says nothing.
        for key in (number, number - rng.randrange(1, 80)):
            if key in policy:
                policy[key]
            else:
                policy[key] = None
    assert policy._frequency.climber.share > 0.3


def test_a_climber_goes_on_while_it_gets_better_and_turns_when_it_gets_worse() -> None:
    climber = Climber()
    first = climber.share
    climber.step(0.5)
    second = climber.share
    climber.step(0.52)
    third = climber.share
    climber.step(0.51)
    assert first < second < third
    assert climber.share < third


@given(st.lists(st.floats(0, 1)))
def test_a_climber_stays_within_the_whole(ratios: list[float]) -> None:
    climber = Climber()
    for ratio in ratios:
        climber.step(ratio)
        assert 0 <= climber.share <= 1


def test_growing_changes_no_count() -> None:
    frequency = Frequency(1000, sized=False)
    rng = random.Random(3)
    places = [rng.getrandbits(60) for _ in range(100)]
    for place in places:
        frequency.counts[place & frequency.mask] = place % MOST
    before = [frequency.counts[place & frequency.mask] for place in places]
    for _ in range(5):
        frequency.grow()
        assert [frequency.counts[place & frequency.mask] for place in places] == before


@pytest.mark.parametrize("entries", [10, 1000, 5000])
def test_the_sketch_takes_16_to_32_bytes_an_entry(entries: int) -> None:
    policy: TinyLFU[int, None] = TinyLFU(entries)
    for key in range(entries * 3):
        policy[key] = None
    assert 16 <= len(policy._frequency.counts) / entries < 32


@given(st.integers(1, 8), st.lists(st.tuples(st.booleans(), st.integers(0, 15)), max_size=200))
def test_it_is_a_bounded_mapping(maxsize: int, steps: list[tuple[bool, int]]) -> None:
    policy: TinyLFU[int, int] = TinyLFU(maxsize)
    for write, key in steps:
        if write or key not in policy:
            policy[key] = key
        assert policy[key] == key
        assert len(policy) == policy.currsize <= maxsize
