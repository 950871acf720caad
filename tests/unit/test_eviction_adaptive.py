"""Adaptive: it follows the best policy, is never far behind LRU, and is a bounded mapping."""

from __future__ import annotations

import copy
import pickle
import random
from typing import Any

import pytest
from cachetools import Cache, LRUCache
from hypothesis import given
from hypothesis import strategies as st

from tiered_cache_policies.eviction._leader import LRU, S3FIFO, TINYLFU, Leader
from tiered_cache_policies.eviction.adaptive import _BATCH, Adaptive


def _replay(policy: Any, keys: Any) -> int:
    hits = 0
    for key in keys:
        if key in policy:
            hits += 1
            policy[key]
        else:
            policy[key] = key
    return hits


def _coming_back_once(count: int) -> list[int]:
    """Each key is used again after 80 others and never after that, which suits LRU."""
    return [number - back for number in range(1000, 1000 + count) for back in (0, 40)]


def _shadows(policy: Adaptive[Any, Any]) -> tuple[Any, ...]:
    return policy._shadows


def _check(policy: Adaptive[Any, Any]) -> None:
    """Each entry that the leader does not hold is doomed, or was used since the last replay."""
    leading = _shadows(policy)[policy._leader.number].held
    unseen = policy._log[policy._seen :]
    assert set(policy) <= set(leading) | set(policy._doomed) | set(unseen)
    assert policy.currsize <= policy.maxsize
    assert len(policy._log) < _BATCH


def _differing(policy: Adaptive[Any, Any]) -> int:
    """The number of its keys that the leader does not hold after a replay of the whole log."""
    return len(set(policy) - set(policy._catch_up().held))


def test_it_follows_lru_where_recency_is_all_that_counts() -> None:
    policy: Adaptive[int, int] = Adaptive(100)
    _replay(policy, _coming_back_once(10_000))
    assert policy._leader.number == LRU
    assert _differing(policy) <= 1


def test_it_does_not_follow_lru_round_a_loop() -> None:
    policy: Adaptive[int, int] = Adaptive(100)
    hits = _replay(policy, list(range(150)) * 100)
    assert policy._leader.number != LRU
    assert hits > 15_000 * 0.4


def test_it_changes_when_the_workload_does() -> None:
    policy: Adaptive[int, int] = Adaptive(100)
    _replay(policy, list(range(150)) * 50)
    looping = policy._leader.number
    _replay(policy, _coming_back_once(10_000))
    assert (looping == LRU, policy._leader.number == LRU) == (False, True)


@pytest.mark.proves("eviction/adaptive")
@pytest.mark.parametrize("number", [LRU, S3FIFO, TINYLFU])
def test_it_converges_to_the_entries_of_the_leader(number: int) -> None:
    rng = random.Random(1)
    keys = [int(rng.paretovariate(0.6)) % 5000 for _ in range(20_000)]
    policy: Adaptive[int, int] = Adaptive(100)
    policy._leader.review = lambda *_: False  # type: ignore[method-assign] # the leader stays
    policy._leader.number = number
    _replay(policy, keys)
    assert _differing(policy) <= 5


def test_looking_through_the_base_class_is_no_use() -> None:
    policy: Adaptive[str, int] = Adaptive(2)
    policy.update(a=1, b=2)
    logged = list(policy._log)
    assert Cache.__getitem__(policy, "a") == 1
    assert policy._log == logged
    with pytest.raises(KeyError):
        Cache.__getitem__(policy, "x")


@pytest.mark.proves("eviction/adaptive")
def test_behind_lru_it_evicts_exactly_as_lru_does() -> None:
    policy: Adaptive[int, int] = Adaptive(100)
    policy._leader.number = LRU
    policy._leader.review = lambda *_: False  # type: ignore[method-assign] # the leader stays
    lru: LRUCache[int, int] = LRUCache(100)
    rng = random.Random(1)
    for _ in range(20_000):
        key = int(rng.paretovariate(0.6)) % 5000
        _replay(policy, [key])
        _replay(lru, [key])
        assert len(policy) == len(lru)
    assert set(policy) == set(lru)


def test_deleted_keys_are_neither_evicted_nor_missed() -> None:
    policy: Adaptive[int, int] = Adaptive(10)
    _replay(policy, range(100))
    for key in list(policy)[:8]:
        del policy[key]
    kept = set(policy)
    _replay(policy, range(200, 208))
    assert set(policy) == kept | set(range(200, 208))
    evicted = {policy.popitem()[0] for _ in range(10)}
    assert evicted == kept | set(range(200, 208))
    with pytest.raises(KeyError, match="Adaptive is empty"):
        policy.popitem()


def test_a_deleted_key_that_comes_back_is_not_evicted_next() -> None:
    policy: Adaptive[int, int] = Adaptive(10)
    policy._leader.number = LRU
    _replay(policy, range(100))
    next_to_go = list(policy._doom())[-1]
    del policy[next_to_go]
    _replay(policy, [next_to_go, 200, 201])
    assert next_to_go in policy


def test_with_sizes_the_shadows_hold_as_many_as_would_fit() -> None:
    policy: Adaptive[int, int] = Adaptive(1000, getsizeof=lambda size: size)
    rng = random.Random(1)
    for number in range(5000):
        policy[number] = rng.randint(1, 9)
    assert 180 < policy._shadows[LRU].limit < 220
    assert all(len(shadow.held) <= 220 for shadow in _shadows(policy))
    _check(policy)


def test_the_log_is_bounded_with_hits_only() -> None:
    policy: Adaptive[int, int] = Adaptive(10_000)
    policy[1] = 1
    for _ in range(5000):
        policy[1]
    assert len(policy._log) < _BATCH


def test_another_size_is_counted() -> None:
    policy: Adaptive[str, int] = Adaptive(10, getsizeof=lambda size: size)
    policy.update(a=3, b=3)
    policy["a"] = 6
    policy["c"] = 4
    assert policy["c"] == 4
    assert policy.currsize == sum(Cache.__getitem__(policy, key) for key in policy)
    _check(policy)


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))]
)
def test_a_duplicate_goes_on_as_the_original_would(duplicate: Any) -> None:
    rng = random.Random(1)
    keys = [int(rng.paretovariate(0.6)) % 5000 for _ in range(6000)]
    policy: Adaptive[int, int] = Adaptive(50)
    _replay(policy, keys[:3000])
    twin = duplicate(policy)
    hits = _replay(twin, keys[3000:])
    assert _replay(policy, keys[3000:]) == hits
    assert list(twin) == list(policy)
    _check(twin)


def test_clear_resets_the_leader() -> None:
    policy: Adaptive[int, int] = Adaptive(100)
    _replay(policy, _coming_back_once(5000))
    policy.clear()
    assert policy._leader.number == S3FIFO
    assert [len(shadow.held) for shadow in _shadows(policy)] == [0, 0, 0]
    _check(policy)


@given(
    st.integers(1, 12),
    st.lists(
        st.tuples(
            st.sampled_from(["use", "use", "use", "write", "delete", "evict"]),
            st.integers(0, 20),
            st.integers(0, 5),
        ),
        max_size=300,
    ),
)
def test_it_keeps_its_bound_and_its_sizes(maxsize: int, steps: list[tuple[str, int, int]]) -> None:
    policy: Adaptive[int, int] = Adaptive(maxsize, getsizeof=lambda size: size)
    for step, key, size in steps:
        if step == "delete":
            policy.pop(key, None)
        elif step == "evict" and len(policy):
            policy.popitem()
        elif step == "write" or key not in policy:
            if size <= maxsize:
                policy[key] = size
                assert policy[key] == size
        else:
            policy[key]
        assert policy.currsize == sum(Cache.__getitem__(policy, held) for held in policy)
        _check(policy)


class _Race:
    """A leader of a cache with 100 entries, and the misses so far."""

    def __init__(self) -> None:
        self.leader = Leader()
        self.misses = [0, 0, 0]
        self.leader.review(list(self.misses), 100)

    def add(self, *more: int) -> bool:
        self.misses = [now + new for now, new in zip(self.misses, more, strict=True)]
        return self.leader.review(list(self.misses), 100)


def test_the_first_leader_has_a_head_start() -> None:
    race = _Race()
    assert race.leader.number == S3FIFO
    assert not race.add(50, 59, 50)
    assert race.add(50, 59, 50)


def test_a_review_waits_until_enough_was_missed() -> None:
    race = _Race()
    assert not race.add(0, 24, 0)
    assert race.add(0, 1, 0)


def test_lru_needs_no_margin_but_others_do() -> None:
    race = _Race()
    assert race.add(0, 50, 50)
    assert race.leader.number == LRU
    for _ in range(3):
        race.add(50, 0, 50)
    assert race.leader.number == S3FIFO
    level = race.leader._scores[S3FIFO] - race.leader._scores[LRU]
    race.add(0, int(-level) + 2, 50)
    assert race.leader._margin > 0
    assert race.leader.number == LRU


@pytest.mark.proves("eviction/adaptive")
def test_lru_leads_as_soon_as_it_is_ahead_and_another_policy_does_not() -> None:
    # After 50 misses the head start of 10 has faded to 9.75: a quarter of a miss is the lead.
    race = _Race()
    assert race.add(0, 10, 50)
    assert race.leader.number == LRU
    race = _Race()
    assert not race.add(50, 10, 0)
    assert race.leader.number == S3FIFO


def test_the_margin_grows_with_changes_that_were_mistakes_and_shrinks_with_good_ones() -> None:
    def margins(reviews: int) -> list[float]:
        """The leader after LRU and S3-FIFO were better in turn, each for a number of reviews."""
        race, found = _Race(), []
        for number in range(12):
            for _ in range(reviews):
                race.add(*((0, 100, 100), (100, 0, 100))[number % 2])
            found.append(race.leader._margin)
        return found

    short, long = margins(3), margins(60)
    assert max(short) > 10 * short[0]
    assert max(short) <= 1.0
    assert long[-1] == min(long)


def test_old_misses_count_less() -> None:
    race = _Race()
    race.add(0, 0, 1000)
    before = race.leader._scores[TINYLFU]
    for _ in range(60):
        race.add(100, 100, 100)
    assert race.leader._scores[TINYLFU] - race.leader._scores[S3FIFO] < before / 10
