"""Adaptive: it follows the policy that suits, never far behind LRU, and stays a bounded mapping."""

from __future__ import annotations

import copy
import pickle
import random
from typing import Any

import pytest
from cachetools import Cache
from hypothesis import given
from hypothesis import strategies as st

from tiered_cache_policies.eviction._leader import LRU, REAL, S3FIFO, TINYLFU, Leader
from tiered_cache_policies.eviction.adaptive import Adaptive


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
    """Each key is used again when 80 others came, and never after that: LRU's home ground."""
    return [number - back for number in range(1000, 1000 + count) for back in (0, 40)]


def _shadows(policy: Adaptive[Any, Any]) -> tuple[Any, ...]:
    return policy._shadows


def _check(policy: Adaptive[Any, Any]) -> None:
    leading = _shadows(policy)[policy._leader.number].nodes
    assert set(policy._strays) == set(policy) - set(leading)
    assert all(shadow.currsize <= policy.maxsize for shadow in _shadows(policy))
    assert policy.currsize <= policy.maxsize


def test_it_follows_lru_where_recency_is_all_that_counts() -> None:
    policy: Adaptive[int, int] = Adaptive(100)
    _replay(policy, _coming_back_once(10_000))
    assert policy._leader.number == LRU
    assert set(policy) == set(policy._shadows[LRU].nodes)


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


@pytest.mark.parametrize("number", [LRU, S3FIFO, TINYLFU])
def test_it_comes_to_hold_what_the_leader_would(number: int) -> None:
    rng = random.Random(1)
    keys = [int(rng.paretovariate(0.6)) % 5000 for _ in range(20_000)]
    policy: Adaptive[int, int] = Adaptive(100)
    policy._leader.review = lambda entries: False  # type: ignore[method-assign] # whoever is better
    policy._leader.number = number
    _replay(policy, keys)
    assert set(policy) == set(_shadows(policy)[number].nodes)


def test_looking_through_the_base_class_is_no_use() -> None:
    policy: Adaptive[str, int] = Adaptive(2)
    policy.update(a=1, b=2)
    visits = policy._shadows[S3FIFO].nodes["a"].visits
    assert Cache.__getitem__(policy, "a") == 1
    assert policy._shadows[S3FIFO].nodes["a"].visits == visits
    with pytest.raises(KeyError):
        Cache.__getitem__(policy, "x")


def test_what_is_deleted_leaves_the_shadows() -> None:
    policy: Adaptive[str, int] = Adaptive(2)
    policy.update(a=1, b=2)
    del policy["a"]
    assert all("a" not in shadow.nodes for shadow in _shadows(policy))
    _check(policy)


def test_another_size_is_known_to_the_shadows() -> None:
    policy: Adaptive[str, int] = Adaptive(10, getsizeof=lambda size: size)
    policy.update(a=3, b=3)
    policy["a"] = 6
    assert [shadow.currsize for shadow in _shadows(policy)] == [9, 9, 9]
    policy["c"] = 4
    assert policy["c"] == 4
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


def test_clear_forgets_who_did_best() -> None:
    policy: Adaptive[int, int] = Adaptive(100)
    _replay(policy, _coming_back_once(5000))
    policy.clear()
    assert policy._leader.misses == [0, 0, 0, 0]
    assert [shadow.currsize for shadow in _shadows(policy)] == [0, 0, 0]
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
def test_it_keeps_to_its_bound_and_knows_who_strays(
    maxsize: int, steps: list[tuple[str, int, int]]
) -> None:
    policy: Adaptive[int, int] = Adaptive(maxsize, getsizeof=lambda size: size)
    for what, key, size in steps:
        if what == "delete":
            policy.pop(key, None)
        elif what == "evict" and len(policy):
            policy.popitem()
        elif what == "write" or key not in policy:
            if size <= maxsize:
                policy[key] = size
                assert policy[key] == size
        else:
            policy[key]
        assert policy.currsize == sum(Cache.__getitem__(policy, held) for held in policy)
        _check(policy)


def _reviewed(leader: Leader, misses: list[int], entries: int = 100) -> bool:
    for number, more in enumerate(misses):
        leader.misses[number] += more
    leader.events += max(misses)
    return leader.review(entries)


def _started() -> Leader:
    leader = Leader()
    leader.start(100)
    return leader


def test_the_first_leader_has_a_head_start() -> None:
    leader = _started()
    assert leader.number == S3FIFO
    assert not _reviewed(leader, [50, 59, 50, 59])
    assert _reviewed(leader, [50, 59, 50, 59])


def test_lru_needs_no_margin_but_others_do() -> None:
    leader = _started()
    assert _reviewed(leader, [0, 50, 50, 50])
    assert leader.number == LRU
    for _ in range(3):
        _reviewed(leader, [50, 0, 50, 50])
    assert leader.number == S3FIFO
    margin = leader._margin
    level = leader._scores[S3FIFO] - leader._scores[LRU]
    _reviewed(leader, [0, int(-level) + 2, 50, 50])
    assert margin > 0
    assert leader.number == LRU


def test_the_margin_grows_with_changes_that_were_mistakes_and_shrinks_with_good_ones() -> None:
    def changes(real: int) -> list[float]:
        leader, margins = _started(), []
        for number in range(8):
            best = (LRU, S3FIFO)[number % 2]
            misses = [100, 100, 100, real]
            misses[best] = 0
            while not _reviewed(leader, misses):
                pass
            margins.append(leader._margin)
        return margins

    mistakes, good = changes(real=300), changes(real=0)
    assert mistakes[-1] > 10 * mistakes[0]
    assert max(mistakes) <= 1.0
    assert max(good) == min(good)


def test_old_misses_count_less() -> None:
    leader = _started()
    _reviewed(leader, [0, 0, 1000, 0])
    before = leader._scores[TINYLFU]
    for _ in range(60):
        _reviewed(leader, [100, 100, 100, 100])
    gap = leader._scores[TINYLFU] - leader._scores[S3FIFO]
    assert gap < before / 10
    assert len(leader.misses) == REAL + 1
