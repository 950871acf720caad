"""SPEC.md names tests that exist, and numbers that are those in the code."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import re
from pathlib import Path

import pytest

import tiered_cache

_ROOT = Path(__file__).parents[2]
_SUITES = Path(tiered_cache.__file__).parent / "testing"
_SPEC = (_ROOT / "SPEC.md").read_text()
_PROOFS = sorted(set(re.findall(r"`(\w+\.py(?:::\w+)+)`", _SPEC)))
_BOUNDS = re.findall(
    r"^\| ([^|]+) \| ([^|]+) \| `([\w.]+):(\w+)(?:\((\w+)\))?` \|$", _SPEC, re.MULTILINE
)


@functools.cache
def _tests() -> dict[str, Path]:
    """The files with tests, by name: `tests` and the public conformance suites."""
    files = [*(_ROOT / "tests").rglob("*.py"), *_SUITES.rglob("*.py")]
    return {path.name: path for path in files}


@functools.cache
def _names(path: Path) -> frozenset[str]:
    """`test` and `Class::test` for each test in a file."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            methods = [each for each in node.body if isinstance(each, ast.FunctionDef)]
            found |= {f"{node.name}::{each.name}" for each in methods}
    return frozenset(found)


@pytest.mark.parametrize("proof", _PROOFS)
def test_every_test_that_is_named_exists(proof: str) -> None:
    file, _, name = proof.partition("::")
    assert file in _tests(), f"there is no {file}"
    assert name in _names(_tests()[file]), f"{file} has no {name}"


def test_every_row_names_its_tests() -> None:
    proved = False
    for line in _SPEC.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            proved = False
        elif cells[-1] == "Proved by":
            proved = True
        elif proved and not set(line) <= set("|- "):
            assert "::test_" in cells[-1] or "planned" in line, f"nothing proves: {line}"


def test_every_law_has_its_section_and_status() -> None:
    numbers = [int(number) for number in re.findall(r"^### Law (\d+): ", _SPEC, re.MULTILINE)]
    assert numbers == list(range(1, 13))
    listed = re.findall(r"^\| (\d+) \| \[[^]]+\]\(#law-(\d+)-[a-z-]+\) \| \w", _SPEC, re.MULTILINE)
    assert listed == [(str(number), str(number)) for number in numbers]


@pytest.mark.parametrize(("what", "limit", "module", "name", "parameter"), _BOUNDS)
def test_every_bound_is_the_one_in_the_code(
    what: str, limit: str, module: str, name: str, parameter: str
) -> None:
    found = getattr(importlib.import_module(module), name)
    if parameter:
        found = inspect.signature(found).parameters[parameter].default
    assert str(found) == limit, what


def test_there_are_bounds_to_compare() -> None:
    assert len(_BOUNDS) == len(
        re.findall(r"`tiered_cache[\w.]+:\w+(?:\(\w+\))?` \|$", _SPEC, re.MULTILINE)
    )
    assert len(_BOUNDS) > 20
