"""The analyses that the demo caches: functions from the content of a source file to plain data."""

from __future__ import annotations

import ast
import functools
import importlib.util
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

from tiered_cache.demo.nesting import nesting_scores

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ANALYSES", "MAX_STATEMENT_LINES", "Analysis", "Source", "analyze"]


MAX_STATEMENT_LINES = 1500
"""Longest statement, in lines, for the maintainability analysis. After each line of a statement, radon tests
whether the statement is complete, so its time grows with the square of the lines: 20 minutes for a
table of 20,000 lines."""


class Source(NamedTuple):
    """The input of an analysis, all of which is part of its key.

    Attributes:
        content: The bytes of the file.
        is_package: Whether it is an `__init__.py`, for which pyflakes has other rules.
    """

    content: bytes
    is_package: bool


class _Code(NamedTuple):
    """A parsed source."""

    text: str
    tree: ast.Module
    is_package: bool


class Analysis(NamedTuple):
    """One analysis of a source file.

    Attributes:
        name: Its name in keys and reports.
        package: The distribution of the analyzer; `None` if the code is our own.
        answer: The analysis of a parsed source; returns plain data.
    """

    name: str
    package: str | None
    answer: Callable[[_Code], dict[str, Any]]


def analyze(analysis: Analysis, source: Source) -> dict[str, Any]:
    """The answer of `analysis` about `source`, or `{"failed": reason}`.

    A failure to decode or parse depends on the file's content alone, so it is an answer too, and is
    cached. So is a failure of the analyzer on odd code: one file must not end the run.

    Raises:
        MemoryError: Memory ran out, which says nothing about the file, so it is no answer.
    """
    try:
        # Warnings concern the analysed code, and would clutter the user's terminal.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            text, tree = _parse(source.content)
            return analysis.answer(_Code(text, tree, source.is_package))
    except MemoryError:
        raise
    except Exception as error:
        return {"failed": _describe(error)}


# The four analyses use the tree of the same file, one after the other. pyflakes adds attributes to
# it, which no other analysis reads.
@functools.lru_cache(maxsize=1)
def _parse(content: bytes) -> tuple[str, ast.Module]:
    text = importlib.util.decode_source(content)
    return text, ast.parse(text)


def _describe(error: Exception) -> str:
    if isinstance(error, SyntaxError):
        where = f" (line {error.lineno})" if error.lineno else ""
        return f"SyntaxError: {error.msg}{where}"
    return f"{type(error).__name__}: {error}"


def _complexity(code: _Code) -> dict[str, Any]:
    from radon.complexity import cc_visit

    blocks = [(block.fullname, block.lineno, block.complexity) for block in cc_visit(code.text)]
    return {"blocks": blocks, "highest": max((each[2] for each in blocks), default=0)}


def _maintainability(code: _Code) -> dict[str, Any]:
    from radon.metrics import mi_visit

    longest = max(
        (_lines(node) for node in ast.walk(code.tree) if isinstance(node, ast.stmt)), default=0
    )
    if longest > MAX_STATEMENT_LINES:
        return {"failed": f"a statement of {longest} lines would take too long to measure"}
    return {"index": float(mi_visit(code.text, multi=True))}


def _lines(statement: ast.stmt) -> int:
    """The number of lines of a simple statement; 0 for a compound one."""
    if hasattr(statement, "body") or statement.end_lineno is None:
        return 0
    return statement.end_lineno - statement.lineno + 1


def _messages(code: _Code) -> dict[str, Any]:
    from pyflakes.checker import Checker

    name = "__init__.py" if code.is_package else "module.py"
    # Options that pyflakes would take from the environment are given here: they change the answer.
    checker = Checker(code.tree, name, builtins=None, withDoctest=False)
    messages = [
        (each.lineno, each.col, type(each).__name__, each.message % each.message_args)
        for each in checker.messages
    ]
    return {"messages": sorted(messages)}


def _nesting(code: _Code) -> dict[str, Any]:
    scores = nesting_scores(code.tree)
    return {
        "functions": [tuple(each) for each in scores],
        "total": sum(each.score for each in scores),
    }


ANALYSES = (
    Analysis("complexity", "radon", _complexity),
    Analysis("maintainability", "radon", _maintainability),
    Analysis("pyflakes", "pyflakes", _messages),
    Analysis("nesting", None, _nesting),
)
