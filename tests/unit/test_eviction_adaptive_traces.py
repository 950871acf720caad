"""Hit ratios of W-TinyLFU and Adaptive over whole replays."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from statistics import mean
from typing import Any

import pytest

from tests.access_patterns import generate, needs_public, public, public_facts
from tiered_cache.policies import LRU, S3FIFO
from tiered_cache_policies.eviction.adaptive import Adaptive
from tiered_cache_policies.eviction.tinylfu import TinyLFU

_SHORT = 20_000
"""Requests of the longest public trace that counts as short."""
_SMALLEST = 20
"""Smaller caches are no part of the means."""
_SIZES = (100, 500)

_ABOUT, _REFERENCE = public_facts("traces"), public_facts("reference")
pytestmark = pytest.mark.timeout(1800)


def _cells(*, synthetic: bool) -> list[Any]:
    return [
        pytest.param(name, int(size), id=f"{name}-{size}")
        for name, sizes in _REFERENCE.items()
        for size in sizes
        if _ABOUT[name]["synthetic"] == synthetic
    ]


def _percent(policy: Any, keys: tuple[int, ...]) -> float:
    """The hit ratio of a replay."""
    hits = 0
    for key in keys:
        if key in policy:
            hits += 1
            policy[key]
        else:
            policy[key] = None
    return 100 * hits / len(keys)


@cache
def _points(policy_class: Any, name: str, size: int) -> float:
    """The hit ratio on a public trace, in percent."""
    return _percent(policy_class(size), public(f"{name}.u64"))


@pytest.mark.proves("eviction/adaptive")
@pytest.mark.parametrize("size", _SIZES)
@pytest.mark.parametrize("pattern", ["zipf", "scans", "shifting", "once"])
def test_adaptive_is_never_far_behind_lru(pattern: str, size: int) -> None:
    keys = generate(pattern)
    assert _percent(Adaptive(size), keys) >= _percent(LRU(size), keys) - 0.5


@pytest.mark.proves("eviction/adaptive")
@pytest.mark.parametrize("size", _SIZES)
@pytest.mark.parametrize("pattern", ["loop", "pools"])
def test_adaptive_is_near_the_best_on_a_pattern_that_suits_one(pattern: str, size: int) -> None:
    keys = generate(pattern)
    best = max(_percent(each(size), keys) for each in (LRU, S3FIFO, TinyLFU))
    assert _percent(Adaptive(size), keys) >= best - 1


@pytest.mark.proves("eviction/tinylfu")
@pytest.mark.parametrize("size", _SIZES)
@pytest.mark.parametrize("pattern", ["zipf", "scans", "once", "pools"])
def test_tinylfu_does_better_than_lru_where_use_is_skewed(pattern: str, size: int) -> None:
    keys = generate(pattern)
    assert _percent(TinyLFU(size), keys) > _percent(LRU(size), keys)


@pytest.mark.exhaustive
@needs_public
@pytest.mark.parametrize(("trace", "size"), _cells(synthetic=False))
def test_adaptive_is_never_far_behind_lru_on_public_traces(trace: str, size: int) -> None:
    lru = 100 * _REFERENCE[trace][str(size)]["LRU"]
    assert _points(Adaptive, trace, size) >= lru - 0.5


@pytest.mark.exhaustive
@needs_public
@pytest.mark.parametrize(("trace", "size"), _cells(synthetic=True))
def test_adaptive_is_near_the_best_where_the_trace_is_made_for_one(trace: str, size: int) -> None:
    ratios = _REFERENCE[trace][str(size)]
    best = max(100 * ratios["LRU"], 100 * ratios["S3FIFO"], _points(TinyLFU, trace, size))
    assert _points(Adaptive, trace, size) >= best - 1


def _headline(policy_class: Any, longest: float = float("inf")) -> float:
    """The mean over the real traces of the means over their sizes."""
    ratios = defaultdict(list)
    for name, sizes in _REFERENCE.items():
        if _ABOUT[name]["synthetic"] or _ABOUT[name]["requests"] > longest:
            continue
        for size in sizes:
            if int(size) >= _SMALLEST:
                ratios[name].append(_points(policy_class, name, int(size)))
    return mean(map(mean, ratios.values()))


@pytest.mark.proves("eviction/tinylfu")
@pytest.mark.exhaustive
@needs_public
@pytest.mark.parametrize(("policy_class", "least"), [(TinyLFU, 49.0), (Adaptive, 50.8)])
def test_the_mean_over_the_real_traces(policy_class: Any, least: float) -> None:
    assert _headline(policy_class) >= least


@pytest.mark.exhaustive
@needs_public
def test_on_the_short_traces_adaptive_does_better_than_any_that_it_follows() -> None:
    short = {
        policy: mean(
            mean(100 * r[policy] for size, r in sizes.items() if int(size) >= _SMALLEST)
            for name, sizes in _REFERENCE.items()
            if not _ABOUT[name]["synthetic"] and _ABOUT[name]["requests"] <= _SHORT
        )
        for policy in ("LRU", "S3FIFO")
    }
    assert _headline(Adaptive, _SHORT) >= max(*short.values(), _headline(TinyLFU, _SHORT)) - 0.3
