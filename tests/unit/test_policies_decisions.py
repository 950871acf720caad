"""What the promotion and write policies decide."""

from __future__ import annotations

import pytest

from tiered_cache.policies import (
    Always,
    FoundBelow,
    Never,
    TierFacts,
    WriteAround,
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
