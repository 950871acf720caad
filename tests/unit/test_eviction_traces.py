"""Hit counts of whole replays are those of the reference simulators, to the last digit.

The counts of the generated patterns are those of `cachetools`, and of the models in the tests of
each policy. The ratios of the public traces are those that libCacheSim published.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.access_patterns import generate, needs_public, public, public_facts
from tiered_cache.policies import ARC, FIFO, LFU, LRU, S3FIFO, Sieve

_POLICIES: dict[str, Any] = {
    "FIFO": FIFO,
    "LRU": LRU,
    "LFU": LFU,
    "Sieve": Sieve,
    "S3FIFO": S3FIFO,
    "ARC": ARC,
}
_HITS = [
    ("zipf", 100, (5675, 6493, 8615, 8704, 8791, 8569)),
    ("zipf", 500, (10317, 11240, 12363, 12363, 12409, 12207)),
    ("loop", 100, (0, 0, 0, 0, 2520, 0)),
    ("loop", 500, (0, 0, 0, 0, 8307, 0)),
    ("scans", 100, (4484, 5099, 7002, 7003, 7154, 7042)),
    ("scans", 500, (7708, 8350, 9830, 9830, 10084, 10053)),
    ("shifting", 100, (5616, 6456, 3671, 6791, 8125, 8120)),
    ("shifting", 500, (10068, 10923, 7446, 9482, 10796, 11164)),
    ("once", 100, (1973, 2366, 4099, 4099, 4258, 4262)),
    ("once", 500, (3744, 4252, 5375, 5375, 5509, 5551)),
    ("pools", 100, (3884, 4392, 8960, 9223, 8791, 9136)),
    ("pools", 500, (8528, 10151, 10276, 10276, 10315, 10305)),
]
"""Pattern, size of the cache, and the hits of each policy, in the order of `_POLICIES`."""


def _hits(policy: Any, keys: tuple[int, ...]) -> int:
    hits = 0
    for key in keys:
        if key in policy:
            hits += 1
            policy[key]
        else:
            policy[key] = None
    return hits


@pytest.mark.proves("eviction/s3fifo", "eviction/sieve", "eviction/arc", "eviction/cachetools")
@pytest.mark.parametrize(
    ("pattern", "size", "hits"), _HITS, ids=[f"{pattern}-{size}" for pattern, size, _ in _HITS]
)
def test_hits_are_those_of_the_reference_simulators(
    pattern: str, size: int, hits: tuple[int, ...]
) -> None:
    found = {name: _hits(make(size), generate(pattern)) for name, make in _POLICIES.items()}
    assert found == dict(zip(_POLICIES, hits, strict=True))


_PUBLISHED = [
    pytest.param(name, int(size), {each: ratios[each] for each in _POLICIES}, id=f"{name}-{size}")
    for name, sizes in public_facts("reference").items()
    for size, ratios in sizes.items()
]


@pytest.mark.exhaustive
@needs_public
@pytest.mark.parametrize(("trace", "size", "published"), _PUBLISHED)
def test_hit_ratios_are_the_published_ones(
    trace: str, size: int, published: dict[str, float]
) -> None:
    keys = public(f"{trace}.u64")
    found = {
        name: round(_hits(make(size), keys) / len(keys), 6) for name, make in _POLICIES.items()
    }
    assert found == published
