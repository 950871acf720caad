"""Hit ratios of W-TinyLFU and Adaptive on real public traces.

The traces have licences of their own and are not part of the project. Where they are not found
beside it, the tests are skipped. `pytest -m exhaustive` replays the long ones too.
"""

from __future__ import annotations

import array
import json
import lzma
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from tiered_cache_policies.eviction.adaptive import Adaptive
from tiered_cache_policies.eviction.tinylfu import TinyLFU

_TRACES = Path(__file__).parents[2].parent / "shared" / "traces"
_SHORT = 20_000
"""Accesses up to which a trace is replayed in every run."""
_SMALLEST = 20
"""Smaller caches are no part of the means."""


def _read(name: str) -> dict[str, Any]:
    path = _TRACES / name
    content: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return content


_ABOUT, _REFERENCE = _read("traces.json"), _read("reference.json")
pytestmark = pytest.mark.skipif(not _REFERENCE, reason="the traces are not here")


def _cells(*, synthetic: bool) -> list[Any]:
    return [
        pytest.param(
            name,
            int(size),
            marks=[] if _ABOUT[name]["requests"] <= _SHORT else [pytest.mark.exhaustive],
            id=f"{name}-{size}",
        )
        for name, sizes in _REFERENCE.items()
        for size in sizes
        if _ABOUT[name]["synthetic"] == synthetic
    ]


@cache
def _accesses(name: str) -> tuple[int, ...]:
    keys = array.array("Q")
    keys.frombytes(lzma.decompress((_TRACES / f"{name}.u64.xz").read_bytes()))
    if sys.byteorder == "big":
        keys.byteswap()
    return tuple(keys)


@cache
def _points(policy_class: Any, name: str, size: int) -> float:
    """The hit ratio, in percent."""
    policy, hits = policy_class(size), 0
    for key in _accesses(name):
        if key in policy:
            hits += 1
            policy[key]
        else:
            policy[key] = None
    return 100 * hits / len(_accesses(name))


@pytest.mark.proves("eviction/adaptive")
@pytest.mark.parametrize(("trace", "size"), _cells(synthetic=False))
def test_adaptive_is_never_far_behind_lru(trace: str, size: int) -> None:
    lru = 100 * _REFERENCE[trace][str(size)]["LRU"]
    assert _points(Adaptive, trace, size) >= lru - 0.5


@pytest.mark.proves("eviction/adaptive")
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
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("policy_class", "least"), [(TinyLFU, 49.0), (Adaptive, 50.8)])
def test_the_mean_over_the_real_traces(policy_class: Any, least: float) -> None:
    assert _headline(policy_class) >= least


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
