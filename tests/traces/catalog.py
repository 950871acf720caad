"""The traces for tests of eviction policies: those of the project, and public ones.

A test that proves a row of the specification replays the traces of the project, which every clone
has. The public traces have licences of their own, so they are no part of it: `make torture` and the
benchmarks replay them if they are in `../shared/traces`.

`reference.json` has the hit ratios of a reference simulator for the project's traces; see
`tests/traces/reference.py`. The public traces come with their own.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pytest

from tests.traces.generated import GENERATORS, generate
from tiered_cache.traces import read_trace

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "DEMO",
    "PUBLIC_FOLDER",
    "AccessTrace",
    "hit_ratio",
    "keys_of",
    "needs_public",
    "project_traces",
    "public_sized",
    "public_traces",
]

PUBLIC_FOLDER = Path(__file__).parents[2].parent / "shared" / "traces"
DEMO = Path(__file__).with_name("demo.trace.xz")
"""Requests for analyses of the demo, recorded by `record_trace`; with sizes and costs."""

_REFERENCE = Path(__file__).with_name("reference.json")
_MADE_FOR_ONE = ("loop", "two-pools", "splice")

needs_public = pytest.mark.skipif(
    not (PUBLIC_FOLDER / "reference.json").is_file(), reason="no public traces in ../shared/traces"
)
"""Marks a test of the public traces, besides `exhaustive`."""

Ratios = dict[int, dict[str, float]]


class AccessTrace(NamedTuple):
    """A trace of keys.

    Attributes:
        name: Its name; the names of public traces begin with `public/`.
        requests: The number of requests.
        made_for_one: Whether it is made so that one kind of policy wins.
        ratios: The hit ratios of the reference simulator, by capacity and policy.
    """

    name: str
    requests: int
    made_for_one: bool
    ratios: Ratios


@cache
def keys_of(name: str) -> Sequence[int]:
    """The keys of the requests of the trace `name`, in order."""
    if name in GENERATORS:
        return generate(name)
    path = DEMO if name == "demo" else PUBLIC_FOLDER / f"{name.removeprefix('public/')}.u64.xz"
    return tuple(cast("Sequence[int]", read_trace(path).keys))


def public_sized() -> list[tuple[int, int]]:
    """The keys and sizes of the public trace with sizes."""
    trace = read_trace(PUBLIC_FOLDER / "adaptsize-sized.u64u64.xz")
    keys, sizes = cast("Sequence[int]", trace.keys), trace.sizes or {}
    return [(key, sizes[key]) for key in keys]


@cache
def hit_ratio(policy_class: Any, name: str, size: int) -> float:
    """Hits per request of the trace `name`: a miss inserts, the cache starts empty."""
    policy, hits = policy_class(size), 0
    keys = keys_of(name)
    for key in keys:
        if key in policy:
            hits += 1
            policy[key]
        else:
            policy[key] = None
    return hits / len(keys)


def project_traces() -> list[AccessTrace]:
    """The traces that come with the project."""
    reference = json.loads(_REFERENCE.read_text())
    return [
        AccessTrace(name, len(keys_of(name)), name in _MADE_FOR_ONE, _by_size(reference[name]))
        for name in reference
    ]


def public_traces() -> list[AccessTrace]:
    """The public traces; none if the folder is absent."""
    if not (PUBLIC_FOLDER / "reference.json").is_file():
        return []
    about = json.loads((PUBLIC_FOLDER / "traces.json").read_text())
    reference = json.loads((PUBLIC_FOLDER / "reference.json").read_text())
    return [
        AccessTrace(
            f"public/{name}",
            about[name]["requests"],
            about[name]["synthetic"],
            _by_size(reference[name]),
        )
        for name in reference
    ]


def _by_size(ratios: dict[str, dict[str, float]]) -> Ratios:
    return {int(size): each for size, each in ratios.items()}
