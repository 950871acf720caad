"""Keeps the results of proofs, and finds the rows that a run left unproven."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Ledger", "Verdict"]


class Verdict(NamedTuple):
    """The state of the proofs after a full run.

    Attributes:
        unproven: The reason for each row without a valid proof.
        needs: The missing needs for each row with a proof that they skipped.
    """

    unproven: dict[str, str]
    needs: dict[str, list[str]]


class Ledger:
    """The results of tests that prove rows.

    A test is one function: it counts as passed if one of its parameter sets, or of the classes
    that inherit it, passed. A failure is not kept, since it fails the run itself.
    """

    def __init__(self) -> None:
        self._passed: dict[str, set[str]] = defaultdict(set)
        self._skipped: dict[str, dict[str, str]] = defaultdict(dict)
        self._needs: dict[str, dict[str, str]] = defaultdict(dict)

    def add_pass(self, row: str, test: str) -> None:
        """Keep that `test` passed."""
        self._passed[row].add(test)

    def add_skip(self, row: str, test: str, reason: str, need: str | None) -> None:
        """Keep that `test` was skipped; `need` is the mark that declared it."""
        if need:
            self._needs[row][test] = need
        else:
            self._skipped[row][test] = reason

    def verdict(self, rows: Iterable[str]) -> Verdict:
        """The rows of `rows` that are unproven, and those that wait for a need."""
        unproven, needs = {}, {}
        for row in rows:
            missing = self._needs[row]
            skipped = {
                t: why for t, why in self._skipped[row].items() if t not in self._passed[row]
            }
            if skipped:
                unproven[row] = "; ".join(f"{test}: {why}" for test, why in skipped.items())
            elif not self._passed[row] and not missing:
                unproven[row] = "no proof passed"
            if missing:
                needs[row] = sorted(set(missing.values()))
        return Verdict(unproven, needs)
