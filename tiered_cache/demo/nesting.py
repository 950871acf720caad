"""The nesting score, a metric of our own for control flow that is hard to follow."""

from __future__ import annotations

import ast
from typing import NamedTuple

__all__ = ["FunctionScore", "nesting_scores"]

_NESTED_BLOCKS = (ast.For, ast.AsyncFor, ast.While, ast.Try, ast.TryStar, ast.Match, ast.IfExp)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


class FunctionScore(NamedTuple):
    """The score of one function, or of the code outside all functions.

    Attributes:
        name: Dotted, as in `Class.method`; `<module>` is the code outside all functions.
        line: Its first line, from 1; 0 for `<module>`.
        score: Its nesting score.
    """

    name: str
    line: int
    score: int


def nesting_scores(tree: ast.Module) -> list[FunctionScore]:
    """The nesting score of each function of a module, in the order of their lines.

    Each branch, loop, `try`, `match` and conditional expression costs one, and one more for every
    such construct around it. A function inside a function counts as a level. `else`, `elif` and each
    run of the same boolean operator cost one at any depth. A call by name of the function itself
    costs one.

    Source: Cognitive Complexity (G. Ann Campbell, SonarSource, 2018), without labelled jumps, which
    Python does not have.

    Raises:
        RecursionError: The code is nested deeper than this Python recurses.
    """
    scorer = _NestingScorer()
    for statement in tree.body:
        scorer.visit(statement, "", 0)
    return sorted(
        [FunctionScore("<module>", 0, scorer.outside), *scorer.functions],
        key=lambda score: (score.line, score.name),
    )


class _NestingScorer:
    """A walk over a module. `_score` is that of the innermost named function so far."""

    def __init__(self) -> None:
        self.functions: list[FunctionScore] = []
        self._score = 0
        self._function = ""

    @property
    def outside(self) -> int:
        """The score of the code outside all functions; valid after the walk."""
        return self._score

    def visit(self, node: ast.AST, scope: str, depth: int) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._visit_function(node, scope, depth)
            case ast.ClassDef():
                self._visit_children(node, f"{scope}{node.name}.", depth)
            case ast.If():
                self._score += 1 + depth
                self._visit_if(node, scope, depth)
            case _:
                self._score += self._cost(node, depth)
                deeper = isinstance(node, (*_NESTED_BLOCKS, ast.Lambda))
                self._visit_children(node, scope, depth + deeper)

    def _visit_children(self, node: ast.AST, scope: str, depth: int) -> None:
        for child in ast.iter_child_nodes(node):
            self.visit(child, scope, depth)

    def _visit_function(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: str, depth: int
    ) -> None:
        outer_score, outer_function = self._score, self._function
        self._score, self._function = 0, node.name
        # A method starts at depth 0; a function inside a function adds a level.
        self._visit_children(node, f"{scope}{node.name}.", depth + 1 if outer_function else 0)
        self.functions.append(FunctionScore(scope + node.name, node.lineno, self._score))
        self._score, self._function = outer_score, outer_function

    def _visit_if(self, node: ast.If, scope: str, depth: int) -> None:
        self.visit(node.test, scope, depth)
        for statement in node.body:
            self.visit(statement, scope, depth + 1)
        match node.orelse:
            case []:
                return
            case [ast.If() as elif_]:
                self._score += 1
                self._visit_if(elif_, scope, depth)
            case _:
                self._score += 1
                for statement in node.orelse:
                    self.visit(statement, scope, depth + 1)

    def _cost(self, node: ast.AST, depth: int) -> int:
        match node:
            case ast.BoolOp():
                return 1
            case ast.Call(func=ast.Name(id=name)) if name == self._function:
                return 1
            case ast.For() | ast.AsyncFor() | ast.While():
                return 1 + depth + bool(node.orelse)
            case ast.Try() | ast.TryStar() | ast.Match() | ast.IfExp():
                return 1 + depth
        return 0
