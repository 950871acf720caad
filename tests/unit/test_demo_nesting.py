"""The nesting score: the cost of each construct, and of nesting."""

from __future__ import annotations

import ast
from textwrap import dedent

import pytest

from tiered_cache.demo.nesting import nesting_scores


def scores(code: str) -> dict[str, int]:
    return {each.name: each.score for each in nesting_scores(ast.parse(dedent(code)))}


@pytest.mark.parametrize(
    ("code", "score"),
    [
        ("pass", 0),
        ("if a: pass", 1),
        ("if a: pass\nelse: pass", 2),
        ("if a: pass\nelif b: pass\nelse: pass", 3),
        ("for x in y: pass", 1),
        ("for x in y: pass\nelse: pass", 2),
        ("while x: pass", 1),
        ("try: pass\nexcept E: pass", 1),
        ("try: pass\nexcept* E: pass", 1),
        ("match x:\n  case 1: pass", 1),
        ("x = a if b else c", 1),
        ("with a: pass", 0),
        ("x = a and b and c", 1),
        ("x = a and b or c", 2),
        ("x = lambda: a if b else c", 2),
        ("for x in y:\n  if a: pass", 3),
        ("for x in y:\n  if a: pass\n  else:\n    while b: pass", 7),
        ("if a:\n  pass\nelse:\n  if b: pass", 2),
    ],
)
def test_the_score_of_a_construct(code: str, score: int) -> None:
    assert scores(code) == {"<module>": score}


def test_functions_are_scored_apart_and_named_by_where_they_are() -> None:
    code = """
        if a:
            pass

        class C:
            def method(self):
                if a:
                    pass

                def inner():
                    if b:
                        pass

        def twice(n):
            return twice(n - 1) if n else 0
    """
    assert scores(code) == {"<module>": 1, "C.method": 1, "C.method.inner": 2, "twice": 2}


def test_a_function_of_the_same_name_is_listed_by_line() -> None:
    found = nesting_scores(ast.parse("def f(): pass\ndef f():\n  if a: pass\n"))
    assert found == [("<module>", 0, 0), ("f", 1, 0), ("f", 2, 1)]


def test_a_decorator_and_a_default_belong_to_the_function() -> None:
    assert scores("@d(a if b else c)\ndef f(x=a or b): pass") == {"<module>": 0, "f": 2}
