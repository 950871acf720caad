"""Writes docs/reference/proofs.md: `python -m tests.proofs.page`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.proofs.marks import find_proofs
from tests.proofs.rows import read_sections

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.proofs.marks import Proof
    from tests.proofs.rows import Section

__all__ = ["PAGE", "make_page"]

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "proofs.md"

_HEAD = """# Proofs

Every guarantee of the [specification](specification.md), with the tests that prove it. A test file
is below `tests`; `TierContract` is the conformance suite in `tiered_cache.testing`.

This page is generated from `tests/proofs/rows.toml` and the marks `@pytest.mark.proves` on the
tests, by `python -m tests.proofs.page`. A full run of the tests fails if a row has no proof, or if
a proof was skipped without a declared need (`needs_root`, `needs_browser`, `needs_linux`). Tests
that are marked with ¹ run with `make torture` only.
"""


def make_page(sections: Sequence[Section], proofs: Sequence[Proof]) -> str:
    """The page, as Markdown."""
    return "\n".join([_HEAD, *(line for each in sections for line in _table(each, proofs))])


def _table(section: Section, proofs: Sequence[Proof]) -> Iterator[str]:
    yield f"## {section.title}\n\n| Guarantee | Proved by |\n|---|---|"
    for row, text in section.rows.items():
        tests = [f"`{each.test}`{'¹' * each.torture}" for each in proofs if each.row == row]
        tests += [f"`TierContract::{each}`" for each in section.suite.get(row, ())]
        yield f"| {text.replace('|', chr(92) + '|')} | {', '.join(tests)} |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(make_page(read_sections(), find_proofs()))
