"""CONTRIBUTING.md draws the tree and the layers of the project."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_TEXT = (_ROOT / "CONTRIBUTING.md").read_text()
_HIDDEN = {"__pycache__"}


def _drawn() -> set[str]:
    """The folders in the tree, as paths from the root."""
    block = _TEXT.partition("```text\n")[2].partition("```")[0]
    found, above = set(), [""]
    for indent, name in re.findall(r"^( *)([\w/]+/)", block, re.MULTILINE):
        level = len(indent) // 2
        above[level + 1 :] = [above[level] + name]
        found.add(above[level + 1].rstrip("/"))
    return found


def _folders(root: str) -> set[str]:
    """The folders below `root` with Python files or tests, as paths from the root of the checkout."""
    paths = [each for each in (_ROOT / root).rglob("*") if each.is_dir()]
    return {
        str(each.relative_to(_ROOT))
        for each in paths
        if not _HIDDEN & set(each.parts) and any(child.is_file() for child in each.iterdir())
    }


@pytest.mark.parametrize("root", ["tiered_cache", "policies", "tests"])
def test_the_tree_is_complete(root: str) -> None:
    static = "tiered_cache/dashboard/static/"
    folders = {each for each in _folders(root) if not each.startswith(static)}
    assert folders - _drawn() == set()


def test_the_tree_names_only_folders_that_exist() -> None:
    assert [each for each in sorted(_drawn()) if not (_ROOT / each).is_dir()] == []


def test_the_layers_are_those_that_are_checked() -> None:
    contracts = tomllib.loads((_ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    block = _TEXT.partition("## Import order")[2].partition("```text\n")[2].partition("```")[0]
    drawn = [line.partition("#")[0].strip() for line in block.splitlines()]
    assert drawn == contracts["contracts"][0]["layers"]
