"""Hit ratios on traces equal those of a reference simulator, to the last digit.

`pytest -m exhaustive` replays the public traces too, if they are in `../shared/traces`.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.traces.catalog import hit_ratio, project_traces, public_traces
from tiered_cache.policies import ARC, FIFO, LFU, LRU, S3FIFO, Sieve

_POLICIES: dict[str, Any] = {
    "FIFO": FIFO,
    "LRU": LRU,
    "LFU": LFU,
    "Sieve": Sieve,
    "S3FIFO": S3FIFO,
    "ARC": ARC,
}


def _cases() -> list[Any]:
    public = public_traces()
    cases = [
        pytest.param(
            trace.name,
            size,
            {policy: ratios[policy] for policy in _POLICIES},
            marks=[pytest.mark.exhaustive] if trace in public else [],
            id=f"{trace.name}-{size}",
        )
        for trace in (*project_traces(), *public)
        for size, ratios in trace.ratios.items()
    ]
    if not public:
        absent = [pytest.mark.exhaustive, pytest.mark.skip("no public traces in ../shared/traces")]
        cases.append(pytest.param("public", 0, {}, marks=absent))
    return cases


@pytest.mark.proves("eviction/s3fifo", "eviction/sieve", "eviction/arc", "eviction/cachetools")
@pytest.mark.parametrize(("trace", "size", "published"), _cases())
def test_hit_ratios_are_the_published_ones(
    trace: str, size: int, published: dict[str, float]
) -> None:
    found = {
        name: round(hit_ratio(policy_class, trace, size), 6)
        for name, policy_class in _POLICIES.items()
    }
    assert found == published
