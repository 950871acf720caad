"""Habits of words in docstrings, which docs/design/style.md would lose."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.structure.sources import Source

__all__ = ["habits_per_thousand"]

_HABITS = re.compile(
    r"\b(what is|what the|what it|who|whoever|nobody|somebody|lets? go|anew|done without|comes? of)\b",
    re.IGNORECASE,
)
_DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def habits_per_thousand(sources: list[Source]) -> float:
    """How many such clauses there are in 1,000 words of docstrings."""
    texts = list(_docstrings(sources))
    words = sum(len(text.split()) for text in texts)
    return 1000 * sum(len(_HABITS.findall(text)) for text in texts) / words


def _docstrings(sources: list[Source]) -> Iterator[str]:
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, _DOCUMENTED) and (text := ast.get_docstring(node)):
                yield text
