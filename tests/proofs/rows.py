"""The rows of the specification: guarantees in one sentence each, read from rows.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import NamedTuple

__all__ = ["ROWS", "Section", "read_sections", "suite_proofs"]

ROWS = Path(__file__).with_name("rows.toml")


class Section(NamedTuple):
    """A law or a topic.

    Attributes:
        title: The heading.
        rows: The sentence of each row, by its id (`section/row`).
        suite: Tests of `tiered_cache.testing.TierContract` that prove a row, by its id.
    """

    title: str
    rows: dict[str, str]
    suite: dict[str, list[str]]


def read_sections(path: Path = ROWS) -> list[Section]:
    """Every section, in the order of the file."""
    found = tomllib.loads(path.read_text())
    return [
        Section(
            section["title"],
            {f"{name}/{row}": text for row, text in section["rows"].items()},
            {f"{name}/{row}": tests for row, tests in section.get("suite", {}).items()},
        )
        for name, section in found.items()
    ]


def suite_proofs(sections: list[Section]) -> dict[str, list[str]]:
    """The rows that each test of the tier conformance suite proves, by the name of the test.

    These tests carry no mark: other projects run them with `--strict-markers`.
    """
    found: dict[str, list[str]] = {}
    for section in sections:
        for row, tests in section.suite.items():
            for test in tests:
                found.setdefault(test, []).append(row)
    return found
