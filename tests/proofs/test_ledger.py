"""Rows are proven by tests that pass, and by nothing else."""

from __future__ import annotations

from tests.proofs.ledger import Ledger

ROWS = ["law-1/a", "law-1/b"]


def proven(ledger: Ledger) -> Ledger:
    """With a pass for each row."""
    for row in ROWS:
        ledger.add_pass(row, f"test of {row}")
    return ledger


def test_a_pass_for_each_row_is_enough() -> None:
    assert proven(Ledger()).verdict(ROWS) == ({}, {})


def test_a_row_without_a_result_is_unproven() -> None:
    ledger = Ledger()
    ledger.add_pass("law-1/a", "test")
    assert ledger.verdict(ROWS).unproven == {"law-1/b": "no proof passed"}


def test_a_proof_that_is_skipped_without_a_need_leaves_its_row_unproven() -> None:
    ledger = proven(Ledger())
    ledger.add_skip("law-1/a", "another test", "no traces", None)
    assert ledger.verdict(ROWS).unproven == {"law-1/a": "another test: no traces"}


def test_a_test_is_proof_if_one_of_its_parameter_sets_passed() -> None:
    ledger = proven(Ledger())
    ledger.add_skip("law-1/a", "test of law-1/a", "the tier has no leases", None)
    assert ledger.verdict(ROWS) == ({}, {})


def test_a_missing_need_is_listed_and_no_failure() -> None:
    ledger = Ledger()
    ledger.add_pass("law-1/a", "test")
    ledger.add_skip("law-1/a", "one test", "", "needs_root")
    ledger.add_skip("law-1/b", "other test", "", "needs_browser")
    found = ledger.verdict(ROWS)
    assert found.unproven == {}
    assert found.needs == {"law-1/a": ["needs_root"], "law-1/b": ["needs_browser"]}
