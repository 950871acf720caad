"""Every metric is on the page of metrics with its kind and unit, and the page has no other."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from tiered_cache.stats.snapshot.cache_stats import (
    CacheStats,
    FunctionStats,
    NamespaceStats,
    TierStats,
)
from tiered_cache.stats.snapshot.fields import counters, gauges
from tiered_cache.stats.snapshot.group_stats import GroupStats

_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"
_SECTION = _PAGE.read_text().partition("\n## Metrics of a snapshot\n")[2]
_SECTION = _SECTION.partition("\n## ")[0]
_PARTS = {"name", "tiers", "namespaces", "functions"}
_KINDS = [CacheStats, TierStats, GroupStats]


def listed(kind: type) -> dict[str, tuple[str, str, str]]:
    """The rows of a class's table: kind, unit and meaning by name."""
    for part in _SECTION.split("\n### ")[1:]:
        title = part.partition("\n")[0]
        if kind.__name__ in title or (kind is GroupStats and "FunctionStats" in title):
            rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ?(\w*) \| (.+) \|$", part, re.MULTILINE)
            assert len(rows) == len({name for name, *_ in rows})
            return {name: (kind, unit, meaning) for name, kind, unit, meaning in rows}
    raise AssertionError(kind)


def kind_of(kind: Any, name: str) -> str:
    if name in gauges(kind):
        return "gauge"
    if name in counters(kind):
        return "durations" if "latency" in name else "counter"
    return "derived" if isinstance(getattr(kind, name), property) else "part"


@pytest.mark.parametrize("kind", _KINDS)
def test_every_metric_is_listed_with_its_kind(kind: Any) -> None:
    derived = {name for name, each in vars(kind).items() if isinstance(each, property)}
    names = ({each.name for each in fields(kind)} | derived) - _PARTS
    rows = listed(kind)
    assert set(rows) == names
    assert {name: row[0] for name, row in rows.items()} == {
        name: kind_of(kind, name) for name in names
    }


@pytest.mark.parametrize("kind", _KINDS)
def test_every_metric_has_its_unit_and_meaning(kind: Any) -> None:
    for name, (_, unit, meaning) in listed(kind).items():
        if name.endswith(("_s", "_latency")) or "seconds" in name:
            assert unit == "s", name
        elif "bytes" in name:
            assert unit == "bytes", name
        elif name.endswith("rate"):
            assert unit == "share", name
        else:
            assert unit in ("1", ""), name
        assert meaning[0].isupper() or meaning[0] == "`"


def test_views_and_functions_have_the_same() -> None:
    for kind in (NamespaceStats, FunctionStats):
        assert [each.name for each in fields(kind)] == [each.name for each in fields(GroupStats)]
