"""The Python sources of both packages, parsed."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import NamedTuple

__all__ = ["ROOT", "Source", "read_sources"]

ROOT = Path(__file__).parents[2]
_PACKAGES = (ROOT / "tiered_cache", ROOT / "policies" / "tiered_cache_policies")


class Source(NamedTuple):
    """One module."""

    module: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def is_package(self) -> bool:
        """Whether the module is the `__init__` of a package."""
        return self.path.name == "__init__.py"


def read_sources() -> list[Source]:
    """Every module of the two packages, in the order of their names."""
    found = []
    for package in _PACKAGES:
        for path in sorted(package.rglob("*.py")):
            parts = path.relative_to(package.parent).with_suffix("").parts
            module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            text = path.read_text()
            found.append(Source(module, path, text, ast.parse(text)))
    return found
