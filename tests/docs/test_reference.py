"""Every public name has its place in the reference, under the path from which users import it."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

_REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
_DIRECTIVE = re.compile(
    r"^\.\. auto(module|class|function|exception|data):: ([\w.]+)(?:\(\))?\n((?: +:.*\n)*)",
    re.MULTILINE,
)
_PUBLIC = [
    "tiered_cache",
    "tiered_cache.policies",
    "tiered_cache.contracts",
    "tiered_cache.config",
    "tiered_cache.errors",
    "tiered_cache.testing",
    "tiered_cache.codec",
    "tiered_cache.keys",
    "tiered_cache.traces",
    "tiered_cache.dashboard",
    "tiered_cache.diagnosis",
]


def _documented() -> dict[int, set[str]]:
    """The paths under which the reference describes each object, by the object's id."""
    found: dict[int, set[str]] = {}
    for page in _REFERENCE.rglob("*.md"):
        for kind, name, options in _DIRECTIVE.findall(page.read_text()):
            if kind != "module":
                found.setdefault(id(_resolve(name)), set()).add(name)
            elif ":no-members:" not in options:
                excluded = re.findall(r":exclude-members: (.*)", options)
                names = set(_resolve(name).__all__) - set(", ".join(excluded).split(", "))
                for each in names:
                    path = f"{name}.{each}"
                    found.setdefault(id(getattr(_resolve(name), each)), set()).add(path)
    return found


def _resolve(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        return getattr(importlib.import_module(module), attribute)


def _ours(module: str) -> dict[str, Any]:
    """The names that a module exports, without values and the classes of other projects."""
    package = importlib.import_module(module)
    return {
        name: found
        for name in package.__all__
        if (getattr(found := getattr(package, name), "__module__", "") or "").startswith("tiered_")
    }


@pytest.mark.parametrize("module", _PUBLIC)
def test_every_public_name_is_in_the_reference(module: str) -> None:
    documented = _documented()
    assert [name for name, found in _ours(module).items() if id(found) not in documented] == []


@pytest.mark.parametrize("module", _PUBLIC)
def test_every_public_name_is_shown_as_it_is_imported(module: str) -> None:
    documented = _documented()
    importable = {f"{each}.{name}" for each in _PUBLIC for name in _ours(each)}
    private = {
        name: documented.get(id(found), set())
        for name, found in _ours(module).items()
        if not documented.get(id(found), set()) & importable
    }
    assert private == {}


@pytest.mark.parametrize("module", _PUBLIC)
def test_no_public_name_is_described_twice(module: str) -> None:
    documented = _documented()
    twice = {
        name: documented[id(found)]
        for name, found in _ours(module).items()
        if len(documented.get(id(found), set())) > 1
    }
    assert twice == {}
