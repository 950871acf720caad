"""File names with two meanings, and class names that occur twice."""

from __future__ import annotations

import ast
from collections import defaultdict
from typing import TYPE_CHECKING

from tests.structure.sources import ROOT, read_sources

if TYPE_CHECKING:
    from tests.structure.sources import Source

__all__ = ["repeated_classes", "repeated_files"]

_ONE_MEANING = {
    # The contract, and what each tier makes of it.
    "tier": {"contracts", "tiers/memory", "tiers/disk", "tiers/redis"},
    "leases": {"contracts", "tiers/disk", "tiers/redis"},
    "board": {"contracts", "tiers/disk", "tiers/redis"},
    "change_log": {"contracts", "tiers/disk", "tiers/redis"},
}
"""File names that stand for one thing in several packages."""

_COMMANDS = "cli/commands"
"""A file here is called like its command, which is called like the thing that it is about."""


def repeated_files() -> list[str]:
    """File names in more than one package that don't mean the same there."""
    places: dict[str, set[str]] = defaultdict(set)
    for source in read_sources():
        folder = source.path.parent.relative_to(ROOT).as_posix().removeprefix("tiered_cache/")
        if not source.path.name.startswith("__") and folder != _COMMANDS:
            places[source.path.stem.lstrip("_")].add(folder)
    return [
        f"{name}: {', '.join(sorted(folders))}"
        for name, folders in sorted(places.items())
        if len(folders) > 1 and not folders <= _ONE_MEANING.get(name, set())
    ]


def repeated_classes(sources: list[Source]) -> list[str]:
    """Names that more than one class has."""
    places: dict[str, list[str]] = defaultdict(list)
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(source.module)
    return [
        f"{name}: {', '.join(modules)}"
        for name, modules in sorted(places.items())
        if len(modules) > 1
    ]
