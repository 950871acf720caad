"""SPEC.md states every law, stays readable, and has the numbers that are in the code."""

from __future__ import annotations

import importlib
import inspect
import re
import tomllib
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_SPEC = (_ROOT / "SPEC.md").read_text()
_MAX_LINES, _MAX_WIDTH = 400, 160
_BOUNDS = re.findall(
    r"^\| ([^|]+) \| ([^|]+) \| `([\w.]+):(\w+)(?:\((\w+)\))?` \|$", _SPEC, re.MULTILINE
)


def test_every_law_has_its_section_with_the_title_of_its_proofs() -> None:
    sections = tomllib.loads((_ROOT / "tests" / "proofs" / "rows.toml").read_text())
    proved = [table["title"] for name, table in sections.items() if name.startswith("law-")]
    stated = re.findall(r"^### (Law \d+: .+)\n\n\S", _SPEC, re.MULTILINE)
    assert [int(title.split()[1].rstrip(":")) for title in stated] == list(range(1, 13))
    assert stated == proved


def test_it_stays_readable() -> None:
    lines = _SPEC.splitlines()
    assert len(lines) <= _MAX_LINES
    assert [line for line in lines if len(line) > _MAX_WIDTH and not line.startswith("|")] == []


def test_it_links_to_the_proofs() -> None:
    assert "(docs/reference/proofs.md)" in _SPEC


@pytest.mark.parametrize(("subject", "limit", "module", "name", "parameter"), _BOUNDS)
def test_every_bound_is_the_one_in_the_code(
    subject: str, limit: str, module: str, name: str, parameter: str
) -> None:
    found = getattr(importlib.import_module(module), name)
    if parameter:
        found = inspect.signature(found).parameters[parameter].default
    assert str(found) == limit, subject


def test_there_are_bounds_to_compare() -> None:
    assert len(_BOUNDS) == len(
        re.findall(r"`tiered_cache[\w.]+:\w+(?:\(\w+\))?` \|$", _SPEC, re.MULTILINE)
    )
    assert len(_BOUNDS) >= 85
