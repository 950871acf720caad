"""Every package says in its docstring which modules may import it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_PACKAGES = sorted(
    str(file.relative_to(_ROOT))
    for source in ("tiered_cache", "policies/tiered_cache_policies")
    for file in (_ROOT / source).rglob("__init__.py")
)


@pytest.mark.parametrize("package", _PACKAGES)
def test_the_docstring_of_a_package_names_its_importers(package: str) -> None:
    words = ast.get_docstring(ast.parse((_ROOT / package).read_text())) or ""
    assert re.search(r"\bimports?\b|\bimported\b", words)


def test_the_packages_were_found() -> None:
    assert "tiered_cache/_engine/plans/__init__.py" in _PACKAGES
    assert "policies/tiered_cache_policies/eviction/__init__.py" in _PACKAGES
