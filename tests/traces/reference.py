"""Writes `reference.json`, the hit ratios of a reference simulator for the traces of the project.

    pip install libcachesim==0.3.5
    python -m tests.traces.reference

The simulator is libCacheSim with its default parameters. A request is a get, and a miss inserts the
key; every value has the size 1. The sizes are 1, 5, 10 and 20 % of the different keys, at least 20:
below that libCacheSim's S3-FIFO degenerates.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import libcachesim  # type: ignore[import-not-found] # installed for this module only

from tests.traces.catalog import keys_of
from tests.traces.generated import GENERATORS

if TYPE_CHECKING:
    from collections.abc import Sequence

_POLICIES = ("FIFO", "LRU", "LFU", "Sieve", "S3FIFO", "ARC")
_PERCENT = (1, 5, 10, 20)
_LEAST = 20


def _ratio(policy_class: Any, size: int, keys: Sequence[int]) -> float:
    cache, request, hits = policy_class(size), libcachesim.Request(), 0
    request.obj_size = 1
    for time, key in enumerate(keys):
        request.obj_id, request.clock_time = key, time
        hits += cache.get(request)
    return round(hits / len(keys), 6)


def _ratios(name: str) -> dict[int, dict[str, float]]:
    keys = keys_of(name)
    unique = len(set(keys))
    return {
        size: {policy: _ratio(getattr(libcachesim, policy), size, keys) for policy in _POLICIES}
        for size in sorted({max(_LEAST, unique * percent // 100) for percent in _PERCENT})
    }


if __name__ == "__main__":
    reference = {name: _ratios(name) for name in (*GENERATORS, "demo")}
    lines = [f'"{name}": {json.dumps(ratios)}' for name, ratios in reference.items()]
    Path(__file__).with_name("reference.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
