"""The decisions of the promotion and write policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tiered_cache.policies import (
    Always,
    ByBytes,
    Durability,
    FoundBelow,
    Never,
    OnHit,
    Probabilistic,
    TierFacts,
    WriteAround,
    WriteBack,
    WritePlan,
    WriteRequest,
    WriteThrough,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_STACK = (
    TierFacts("memory", 0, durable=False, shared=False),
    TierFacts("disk", 1, durable=True, shared=False),
    TierFacts("redis", 2, durable=True, shared=True),
)
_FOUND = FoundBelow("key", _STACK[2], 100, 1.0, 60.0, 2.5)
_REQUEST = WriteRequest("key", 60.0, 2.5, computed=True)


@pytest.mark.parametrize("into", _STACK[:2])
def test_always_promotes_and_never_does_not(into: TierFacts) -> None:
    assert Always().promote(_FOUND, into) is True
    assert Never().promote(_FOUND, into) is False


@pytest.mark.proves("writing/lowest-first")
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_write_through_goes_from_the_lowest_tier_up(depth: int) -> None:
    plan = WriteThrough().plan(_REQUEST, _STACK[:depth])
    assert plan == WritePlan(now=tuple(reversed(range(depth))), later=())


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_write_around_goes_to_the_lowest_tier_alone(depth: int) -> None:
    plan = WriteAround().plan(_REQUEST, _STACK[:depth])
    assert plan == WritePlan(now=(depth - 1,), later=())


@pytest.mark.proves(
    "write-back/memory", "write-back/disk", "write-back/remote", "write-back/computed"
)
@pytest.mark.parametrize("computed", [True, False])
@pytest.mark.parametrize(
    ("durability", "asked", "now", "later", "journal"),
    [
        ("memory", None, (0,), (2, 1), False),
        ("disk", None, (1, 0), (2,), True),
        ("memory", "disk", (1, 0), (2,), True),
        ("disk", "memory", (0,), (2, 1), False),
        ("memory", "remote", (2, 1, 0), (), False),
        ("disk", "remote", (2, 1, 0), (), False),
    ],
)
def test_write_back_writes_at_once_to_the_tiers_of_the_durability(
    durability: str,
    asked: str | None,
    now: tuple[int, ...],
    later: tuple[int, ...],
    journal: bool,
    computed: bool,
) -> None:
    request = WriteRequest("key", 60.0, 0.0, computed, None if asked is None else Durability(asked))
    plan = WriteBack(durability).plan(request, _STACK)
    assert plan == WritePlan(now, later, journal and not computed)


def test_write_back_over_memory_alone_has_nothing_to_do_later() -> None:
    assert WriteBack().plan(_REQUEST, _STACK[:1]) == WritePlan((0,))
    assert WriteBack("disk").plan(_REQUEST, _STACK[:2]) == WritePlan((1, 0))


@pytest.mark.proves("admission/on-hit")
def test_on_hit_promotes_at_the_nth_hit_and_restarts() -> None:
    policy = OnHit(3)
    answers = [policy.promote(_FOUND, _STACK[0]) for _ in range(6)]
    assert answers == [False, False, True, False, False, True]
    assert policy.promote(_FOUND, _STACK[1]) is False, "each tier by itself"
    assert OnHit(1).promote(_FOUND, _STACK[0])


def test_law_10_on_hit_forgets_old_hits() -> None:
    policy = OnHit(2, max_keys=10)
    for number in range(100):
        assert not policy.promote(_FOUND._replace(key=str(number)), _STACK[0])
    assert len(policy._seen[0]) <= 10


@pytest.mark.proves("admission/by-bytes")
def test_by_bytes_promotes_small_entries() -> None:
    policy = ByBytes("1KB")
    assert policy.promote(_FOUND._replace(size_bytes=1000), _STACK[0])
    assert not policy.promote(_FOUND._replace(size_bytes=1001), _STACK[0])


@pytest.mark.proves("admission/probabilistic")
def test_probabilistic_promotes_a_share() -> None:
    numbers = iter([0.0, 0.24, 0.25, 0.99])
    policy = Probabilistic(0.25, random=lambda: next(numbers))
    assert [policy.promote(_FOUND, _STACK[0]) for _ in range(4)] == [True, True, False, False]


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: OnHit(0), "hits=0"),
        (lambda: OnHit(2, max_keys=1), "max_keys=1"),
        (lambda: ByBytes("big"), "most='big'"),
        (lambda: Probabilistic(0.0), "probability=0.0"),
        (lambda: Probabilistic(1.1), "probability=1.1"),
    ],
)
def test_bad_options_name_themselves(make: Callable[[], object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        make()
