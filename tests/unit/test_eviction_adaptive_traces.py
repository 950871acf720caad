"""Hit ratios of W-TinyLFU and Adaptive on traces.

`pytest -m exhaustive` replays the public traces too, if they are in `../shared/traces`.
"""

from __future__ import annotations

from statistics import mean
from typing import Any

import pytest

from tests.traces.catalog import (
    AccessTrace,
    hit_ratio,
    needs_public,
    project_traces,
    public_traces,
)
from tiered_cache_policies.eviction.adaptive import Adaptive
from tiered_cache_policies.eviction.tinylfu import TinyLFU

_SMALLEST = 20
"""Smaller caches are no part of the means."""
_REQUESTS_PER_ENTRY = 40
"""In the project's traces, which are short. A cache with fewer is filled too late for a choice."""
_PROJECT, _PUBLIC = project_traces(), public_traces()
_SHORT = 20_000


def _sizes(trace: AccessTrace) -> list[int]:
    if trace in _PUBLIC:
        return list(trace.ratios)
    return [size for size in trace.ratios if size * _REQUESTS_PER_ENTRY <= trace.requests]


def _cells(*, made_for_one: bool) -> list[Any]:
    return [
        pytest.param(
            trace,
            size,
            marks=[pytest.mark.exhaustive] if trace in _PUBLIC else [],
            id=f"{trace.name}-{size}",
        )
        for trace in (*_PROJECT, *_PUBLIC)
        for size in _sizes(trace)
        if trace.made_for_one == made_for_one
    ]


def _points(policy_class: Any, trace: AccessTrace, size: int) -> float:
    """The hit ratio, in percent."""
    return 100 * hit_ratio(policy_class, trace.name, size)


@pytest.mark.proves("eviction/adaptive")
@pytest.mark.parametrize(("trace", "size"), _cells(made_for_one=False))
def test_adaptive_is_never_far_behind_lru(trace: AccessTrace, size: int) -> None:
    assert _points(Adaptive, trace, size) >= 100 * trace.ratios[size]["LRU"] - 0.5


@pytest.mark.proves("eviction/adaptive")
@pytest.mark.parametrize(("trace", "size"), _cells(made_for_one=True))
def test_adaptive_is_near_the_best_where_the_trace_is_made_for_one(
    trace: AccessTrace, size: int
) -> None:
    ratios = trace.ratios[size]
    best = max(100 * ratios["LRU"], 100 * ratios["S3FIFO"], _points(TinyLFU, trace, size))
    assert _points(Adaptive, trace, size) >= best - 1


@pytest.mark.proves("eviction/tinylfu")
@pytest.mark.parametrize("name", ["popular", "flat", "scans", "once", "two-pools"])
def test_tinylfu_does_better_than_lru_where_use_is_skewed(name: str) -> None:
    (trace,) = [each for each in _PROJECT if each.name == name]
    for size in _sizes(trace):
        assert _points(TinyLFU, trace, size) > 100 * trace.ratios[size]["LRU"]


def _headline(policy_class: Any, traces: list[AccessTrace]) -> float:
    """The mean over `traces`, except those made for one policy, of the means over their sizes."""
    return mean(
        mean(_points(policy_class, trace, size) for size in _sizes(trace) if size >= _SMALLEST)
        for trace in traces
        if not trace.made_for_one
    )


def _reference(policy: str, traces: list[AccessTrace]) -> float:
    return mean(
        mean(100 * trace.ratios[size][policy] for size in _sizes(trace) if size >= _SMALLEST)
        for trace in traces
        if not trace.made_for_one
    )


@pytest.mark.proves("eviction/tinylfu")
@pytest.mark.parametrize(("policy_class", "least"), [(TinyLFU, 40.8), (Adaptive, 48.5)])
def test_the_mean_over_the_traces_of_the_project(policy_class: Any, least: float) -> None:
    assert _headline(policy_class, _PROJECT) >= least


@needs_public
@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("policy_class", "least"), [(TinyLFU, 49.0), (Adaptive, 50.8)])
def test_the_mean_over_the_real_traces(policy_class: Any, least: float) -> None:
    assert _headline(policy_class, _PUBLIC) >= least


@pytest.mark.parametrize(
    "traces",
    [
        pytest.param(_PROJECT, id="project"),
        pytest.param(
            [trace for trace in _PUBLIC if trace.requests <= _SHORT],
            marks=[pytest.mark.exhaustive, needs_public],
            id="public",
        ),
    ],
)
def test_on_the_short_traces_adaptive_does_better_than_any_that_it_follows(
    traces: list[AccessTrace],
) -> None:
    best = max(_reference("LRU", traces), _reference("S3FIFO", traces), _headline(TinyLFU, traces))
    assert _headline(Adaptive, traces) >= best - 0.3
