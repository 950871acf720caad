"""Import cycles between modules, imports for type checkers included."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.structure.sources import Source

__all__ = ["cycles"]


def cycles(sources: list[Source]) -> list[str]:
    """The knots of modules that import each other at module level, as `a, b, c`."""
    modules = {source.module for source in sources}
    graph = {source.module: set(_imports(source, modules)) - {source.module} for source in sources}
    return [", ".join(sorted(knot)) for knot in _knots(graph)]


def _imports(source: Source, modules: set[str]) -> Iterator[str]:
    for node in _module_level(source.tree.body):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module in modules:
            for each in node.names:
                inner = f"{node.module}.{each.name}"
                yield inner if inner in modules else node.module


def _module_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.If):
            yield from _module_level([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            yield from _module_level([*node.body, *node.orelse, *node.finalbody])
        else:
            yield node


def _knots(graph: dict[str, set[str]]) -> list[list[str]]:
    """The strongly connected components of more than one module.

    Source: R. Tarjan, "Depth-first search and linear graph algorithms", 1972.
    """
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    knots: list[list[str]] = []

    def visit(node: str) -> None:
        number[node] = low[node] = len(number)
        stack.append(node)
        for other in graph[node]:
            if other not in number:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], number[other])
        if low[node] == number[node]:
            knot: list[str] = []
            while not knot or knot[-1] != node:
                knot.append(stack.pop())
            if len(knot) > 1:
                knots.append(knot)

    for node in graph:
        if node not in number:
            visit(node)
    return knots
