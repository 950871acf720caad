"""What the promotion and write policies decide."""

from __future__ import annotations

import pytest

from tiered_cache.policies import (
    Always,
    Durability,
    FoundBelow,
    Never,
    TierFacts,
    WriteAround,
    WriteBack,
    WritePlan,
    WriteRequest,
    WriteThrough,
)

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


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_write_through_goes_from_the_lowest_tier_up(depth: int) -> None:
    plan = WriteThrough().plan(_REQUEST, _STACK[:depth])
    assert plan == WritePlan(now=tuple(reversed(range(depth))), later=())


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_write_around_goes_to_the_lowest_tier_alone(depth: int) -> None:
    plan = WriteAround().plan(_REQUEST, _STACK[:depth])
    assert plan == WritePlan(now=(depth - 1,), later=())


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
def test_write_back_writes_now_what_the_durability_demands(
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
