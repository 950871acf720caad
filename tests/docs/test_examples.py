"""Every Python block in the README and in the documentation runs, from top to bottom of its page."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```python", re.MULTILINE)


def _pages() -> list[str]:
    docs = (_ROOT / "docs").rglob("*.md")
    found = [page for page in sorted(docs) if "_build" not in page.parts]
    pages = [_ROOT / "README.md", _ROOT / "policies" / "README.md", *found]
    return [str(page.relative_to(_ROOT)) for page in pages if _BLOCK.search(page.read_text())]


@pytest.fixture
def program(request: pytest.FixtureRequest) -> Iterator[types.ModuleType]:
    """A module for the blocks of a page, so that functions and classes in it have a home."""
    module = types.ModuleType("an_example")
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


@pytest.mark.parametrize("page", _pages())
def test_every_example_runs(
    page: str,
    program: types.ModuleType,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = _ROOT / page
    if "REDIS_URL" in path.read_text():
        monkeypatch.setenv("REDIS_URL", request.getfixturevalue("redis_url"))
    document = Sybil([PythonCodeBlockParser()]).parse(path)
    document.namespace = vars(program)
    examples = list(document.examples())
    assert len(examples) == len(_BLOCK.findall(path.read_text()))
    for example in examples:
        example.evaluate()
