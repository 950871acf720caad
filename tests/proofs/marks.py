"""Finds the marks `@pytest.mark.proves("section/row", …)` in the source of the tests."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Proof", "find_proofs"]

_TESTS = Path(__file__).parents[1]
_MARK, _LONG = "pytest.mark.proves", "pytest.mark.exhaustive"


class Proof(NamedTuple):
    """A test that proves a row.

    Attributes:
        row: The id of the row.
        test: `folder/file.py::test`, below `tests`.
        torture: Whether the test runs with `make torture` only.
    """

    row: str
    test: str
    torture: bool


def find_proofs(tests: Path = _TESTS) -> list[Proof]:
    """Every mark below `tests`, by file, then in the order of the file."""
    return [
        proof
        for path in sorted(tests.rglob("test_*.py"))
        for proof in _in_source(path.read_text(), path.relative_to(tests).as_posix())
    ]


def _in_source(source: str, file: str) -> Iterator[Proof]:
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            for method in node.body:
                yield from _of_function(method, f"{file}::{node.name}")
        else:
            yield from _of_function(node, file)


def _of_function(node: ast.stmt, prefix: str) -> Iterator[Proof]:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return
    torture = any(ast.unparse(each) == _LONG for each in node.decorator_list)
    for mark in node.decorator_list:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == _MARK:
            for row in mark.args:
                yield Proof(ast.literal_eval(row), f"{prefix}::{node.name}", torture)
