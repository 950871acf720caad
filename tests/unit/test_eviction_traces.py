"""Hit ratios on real public traces are those of the reference simulators, to the last digit.

The traces have licences of their own and are not part of the project. Where they are not found
beside it, the tests are skipped. `pytest -m exhaustive` replays the long ones too.
"""

from __future__ import annotations

import array
import json
import lzma
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tiered_cache.policies import ARC, FIFO, LFU, LRU, S3FIFO, Sieve

_TRACES = Path(__file__).parents[2].parent / "shared" / "traces"
_POLICIES: dict[str, Any] = {
    "FIFO": FIFO,
    "LRU": LRU,
    "LFU": LFU,
    "Sieve": Sieve,
    "S3FIFO": S3FIFO,
    "ARC": ARC,
}
_SHORT = 80_000
"""Accesses up to which a trace is replayed in every run."""


def _cases() -> list[Any]:
    if not (_TRACES / "reference.json").is_file():
        return [pytest.param("", 0, {}, marks=pytest.mark.skip("the traces are not here"))]
    traces = json.loads((_TRACES / "traces.json").read_text())
    reference = json.loads((_TRACES / "reference.json").read_text())
    return [
        pytest.param(
            name,
            int(size),
            {policy: ratios[policy] for policy in _POLICIES},
            marks=[] if traces[name]["requests"] <= _SHORT else [pytest.mark.exhaustive],
            id=f"{name}-{size}",
        )
        for name, sizes in reference.items()
        for size, ratios in sizes.items()
    ]


@cache
def _accesses(name: str) -> tuple[int, ...]:
    keys = array.array("Q")
    keys.frombytes(lzma.decompress((_TRACES / f"{name}.u64.xz").read_bytes()))
    if sys.byteorder == "big":
        keys.byteswap()
    return tuple(keys)


def _hit_ratio(policy: Any, name: str) -> float:
    hits = 0
    for key in _accesses(name):
        if key in policy:
            hits += 1
            policy[key]
        else:
            policy[key] = None
    return hits / len(_accesses(name))


@pytest.mark.proves("eviction/s3fifo", "eviction/sieve", "eviction/cachetools")
@pytest.mark.parametrize(("trace", "size", "published"), _cases())
def test_hit_ratios_are_the_published_ones(
    trace: str, size: int, published: dict[str, float]
) -> None:
    found = {name: round(_hit_ratio(make(size), trace), 6) for name, make in _POLICIES.items()}
    assert found == published
