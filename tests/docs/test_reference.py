"""Every public name has its place in the reference."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

import tiered_cache
import tiered_cache.policies
import tiered_cache.testing
from tiered_cache import codec

_REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
_DIRECTIVE = re.compile(
    r"^\.\. auto(module|class|function|exception|data):: ([\w.]+)(?:\(\))?\n((?: +:.*\n)*)",
    re.MULTILINE,
)


def _documented() -> set[int]:
    """The ids of the objects that the reference describes."""
    found = set()
    for page in _REFERENCE.rglob("*.md"):
        for kind, name, options in _DIRECTIVE.findall(page.read_text()):
            described = _resolve(name)
            if kind != "module":
                found.add(id(described))
            elif ":no-members:" not in options:
                found |= {id(getattr(described, each)) for each in described.__all__}
    return found


def _resolve(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        return getattr(importlib.import_module(module), attribute)


@pytest.mark.parametrize(
    "module", [tiered_cache, tiered_cache.policies, tiered_cache.testing, codec]
)
def test_every_public_name_is_in_the_reference(module: Any) -> None:
    documented = _documented()
    ours = {
        name: found
        for name in module.__all__
        if (getattr(found := getattr(module, name), "__module__", "") or "").startswith("tiered_")
    }
    assert [name for name, found in ours.items() if id(found) not in documented] == []
