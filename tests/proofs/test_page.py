"""Marks and rows fit together, and the page of the reference is made of them."""

from __future__ import annotations

from tests.proofs.marks import find_proofs
from tests.proofs.page import PAGE, make_page
from tests.proofs.rows import read_sections, suite_proofs
from tiered_cache.testing import tier_contract

SECTIONS = read_sections()
ROWS = {row for section in SECTIONS for row in section.rows}
PROOFS = find_proofs()


def test_every_row_has_a_proof_in_an_ordinary_run() -> None:
    by_suite = {row for rows in suite_proofs(SECTIONS).values() for row in rows}
    assert ROWS - {proof.row for proof in PROOFS if not proof.torture} - by_suite == set()


def test_every_mark_names_a_row() -> None:
    assert [proof for proof in PROOFS if proof.row not in ROWS] == []


def test_every_named_test_of_the_suite_exists() -> None:
    suites = [getattr(tier_contract, name) for name in tier_contract.__all__]
    assert set(suite_proofs(SECTIONS)) - {name for suite in suites for name in dir(suite)} == set()


def test_every_law_is_a_section() -> None:
    numbers = [section.title.split(":")[0] for section in SECTIONS[:12]]
    assert numbers == [f"Law {number}" for number in range(1, 13)]


def test_the_page_is_current() -> None:
    made = make_page(SECTIONS, PROOFS)
    assert PAGE.read_text() == made, "run `python -m tests.proofs.page`"
