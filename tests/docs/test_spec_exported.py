"""The page of metrics lists those that the exporters export."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tiered_cache.stats.output.metrics import METRICS

_PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "metrics.md").read_text()


@pytest.mark.proves("export/table")
def test_the_table_of_metrics_is_that_of_the_code() -> None:
    section = _PAGE.partition("\n## Exported metrics\n")[2].partition("\n## ")[0]
    listed = re.findall(
        r"^\| `([\w.]+)` \| (\w+) \| `([^`]+)` \| ([^|]+) \| (?:`(\w+)`: ([^|]+))? ?\|$",
        section,
        re.MULTILINE,
    )
    exported = [
        (
            each.name,
            each.kind.value,
            each.unit,
            each.text,
            each.label,
            ", ".join(f"`{value}`" for value in each.fields) if each.label else "",
        )
        for each in METRICS
    ]
    assert [tuple(cell.strip() for cell in row) for row in listed] == exported
