"""The analyses that the demo caches: from the bytes of a source file to plain data."""

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
"""The longest statement whose maintainability is measured. radon tries whether a statement is
complete after each of its lines, so its time grows with their square: a table of data of 20,000
lines would take 20 minutes."""


class Source(NamedTuple):
    """What an analysis may look at; whatever it looks at is part of its key.

    Attributes:
        content: The bytes of the file.
        is_package: Whether it is an `__init__.py`, which pyflakes judges by other rules.
    """

    content: bytes
    is_package: bool


class _Code(NamedTuple):
    text: str
    tree: ast.Module
    is_package: bool


class Analysis(NamedTuple):
    """One kind of question about a source file.

    Attributes:
        name: What it is called in keys and reports.
        package: The distribution that answers it, `None` if the code is our own.
        answer: Says it of the parsed source, in plain data.
    """

    name: str
    package: str | None
    answer: Callable[[_Code], dict[str, Any]]


def analyze(analysis: Analysis, source: Source) -> dict[str, Any]:
    """What `analysis` says about `source`, or `{"failed": why}`.

    That a file can't be decoded or parsed depends on its bytes alone, so it is an answer like any
    other, and worth caching. The same goes for an analyzer's own failure on odd code: one file
    must not end the run.

    Raises:
        MemoryError: There was none left, which says nothing about the file: not an answer.
    """
    try:
        # Warnings are about the code that is analysed, and would end up in the user's terminal.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            text, tree = _parse(source.content)
            return analysis.answer(_Code(text, tree, source.is_package))
    except MemoryError:
        raise
    except Exception as error:
        return {"failed": _describe(error)}


# Four analyses ask for the tree of the same file one after the other. pyflakes adds attributes to
# it, which none of the others looks at.
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
    """The lines of a statement that has no statements in it; 0 for one that has."""
    if hasattr(statement, "body") or statement.end_lineno is None:
        return 0
    return statement.end_lineno - statement.lineno + 1


def _messages(code: _Code) -> dict[str, Any]:
    from pyflakes.checker import Checker

    name = "__init__.py" if code.is_package else "module.py"
    # All that the user's environment could change is given here, or kept from the process.
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
