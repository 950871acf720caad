"""The sizes of files and functions."""

from __future__ import annotations

import ast
import statistics
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tests.structure.sources import Source

__all__ = ["Shapes", "shapes"]


class Shapes(NamedTuple):
    """Lines of files and functions, docstrings included."""

    files: int
    file_median: float
    file_most: int
    longest_file: str
    function_p90: int
    functions: str


def shapes(sources: list[Source]) -> Shapes:
    """The sizes of files, and of functions at any depth."""
    files = {source.module: len(source.text.splitlines()) for source in sources}
    functions = {
        f"{source.module}.{node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for source in sources
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    longest = max(files, key=lambda each: files[each])
    longest_function = max(functions, key=lambda each: functions[each])
    sizes = sorted(functions.values())
    return Shapes(
        files=len(files),
        file_median=statistics.median(files.values()),
        file_most=files[longest],
        longest_file=longest,
        function_p90=sizes[int(len(sizes) * 0.9)],
        functions=f"{len(sizes)} functions; the longest, {longest_function}, {sizes[-1]}",
    )
