"""The shadows: each has exactly the misses of its policy, for batches of any size."""

from __future__ import annotations

import copy
import random
from typing import TYPE_CHECKING, Any

import pytest
from cachetools import LRUCache
from hypothesis import given
from hypothesis import strategies as st

from tiered_cache_policies.eviction._lru_shadow import LRUShadow
from tiered_cache_policies.eviction._s3fifo_shadow import S3FIFOShadow
from tiered_cache_policies.eviction._tinylfu_shadow import TinyLFUShadow
from tiered_cache_policies.eviction.s3fifo import S3FIFO
from tiered_cache_policies.eviction.tinylfu import TinyLFU

if TYPE_CHECKING:
    from collections.abc import Sequence

PAIRS: list[Any] = [(LRUShadow, LRUCache), (S3FIFOShadow, S3FIFO), (TinyLFUShadow, TinyLFU)]
SHADOWS: list[Any] = [shadow for shadow, _ in PAIRS]


def _shadow(kind: Any, limit: int, uses: Sequence[int] = ()) -> Any:
    shadow = kind()
    shadow.resize(limit)
    shadow.replay(uses)
    return shadow


def _replay(policy: Any, uses: Sequence[int]) -> list[int]:
    """The evicted keys."""
    gone = []
    popitem = policy.popitem

    def see() -> Any:
        key, value = popitem()
        gone.append(key)
        return key, value

    policy.popitem = see
    for key in uses:
        if key in policy:
            policy[key]
        else:
            policy[key] = key
    return gone


def _uses(count: int, seed: int = 1) -> list[int]:
    """Popular keys, loops and new keys."""
    rng = random.Random(seed)
    return [
        (int(rng.paretovariate(0.7)) % 400, number % 90, number)[min(number // 50 % 5, 2)]
        for number in range(count)
    ]


@pytest.mark.proves("eviction/adaptive")
@pytest.mark.parametrize(("kind", "policy"), PAIRS)
@pytest.mark.parametrize("limit", [1, 2, 3, 10, 25, 100, 333])
def test_a_shadow_evicts_the_same_keys_as_its_policy(kind: Any, policy: Any, limit: int) -> None:
    shadow, real = _shadow(kind, limit), policy(limit)
    uses = _uses(12_000)
    gone: list[int] = []
    for start in range(0, len(uses), 97):
        gone += shadow.replay(uses[start : start + 97])
    assert gone == _replay(real, uses)
    assert set(shadow.held) == set(real)
    assert shadow.misses == len(gone) + len(shadow.held)


@pytest.mark.parametrize(("kind", "policy"), PAIRS)
@given(
    limit=st.integers(1, 12),
    batches=st.lists(st.lists(st.integers(0, 20), max_size=40), max_size=20),
)
def test_batches_make_no_difference(
    kind: Any, policy: Any, limit: int, batches: list[list[int]]
) -> None:
    shadow, real = _shadow(kind, limit), policy(limit)
    for batch in batches:
        assert shadow.replay(batch) == _replay(real, batch)
        del real.popitem  # restores the method of the class
        assert set(shadow.held) == set(real)


@pytest.mark.parametrize("kind", SHADOWS)
@given(limit=st.integers(1, 30), uses=st.lists(st.integers(0, 50), min_size=1, max_size=300))
def test_the_next_evictions_are_held_keys(kind: Any, limit: int, uses: list[int]) -> None:
    shadow = _shadow(kind, limit, uses)
    for most in (1, 64):
        found = shadow.next_to_go(most)
        assert 1 <= len(found) <= most
        assert set(found) <= set(shadow.held)
        assert min(found.values()) >= 1


@pytest.mark.parametrize("kind", SHADOWS)
def test_the_next_evictions_come_in_that_order(kind: Any) -> None:
    shadow = _shadow(kind, 300, _uses(12_000))
    found = list(reversed(shadow.next_to_go(20)))
    assert shadow.replay(range(5000, 5000 + len(found))) == found


@pytest.mark.parametrize("kind", SHADOWS)
def test_keys_used_often_enough_are_spared(kind: Any) -> None:
    shadow = _shadow(kind, 300, _uses(12_000))
    key, uses = shadow.next_to_go(1).popitem()
    enough, too_few = copy.copy(shadow), copy.copy(shadow)
    assert key not in enough.replay([key] * uses + [5000])
    assert key in too_few.replay([key] * (uses - 1) + [5000])


@pytest.mark.parametrize("kind", SHADOWS)
def test_a_lower_limit_lets_the_surplus_go_with_the_next_miss(kind: Any) -> None:
    shadow = _shadow(kind, 100, _uses(3000))
    before = set(shadow.held)
    shadow.resize(40)
    assert set(shadow.held) == before
    gone = shadow.replay([5000])
    assert len(gone) == len(before) + 1 - 40
    assert set(shadow.held) == before - set(gone) | {5000}


@pytest.mark.parametrize("kind", SHADOWS)
def test_a_higher_limit_is_made_use_of(kind: Any) -> None:
    shadow = _shadow(kind, 40, _uses(3000))
    shadow.resize(100)
    assert shadow.replay(range(5000, 5060)) == []
    assert len(shadow.held) == 100


@pytest.mark.parametrize("kind", SHADOWS)
def test_a_copy_goes_its_own_way(kind: Any) -> None:
    shadow = _shadow(kind, 50, _uses(3000))
    twin, same = copy.copy(shadow), copy.deepcopy(shadow)
    gone = same.replay(_uses(3000, seed=2))
    assert twin.replay(_uses(3000, seed=2)) == gone
    assert shadow.replay(_uses(3000, seed=2)) == gone
