"""Fails a full run that leaves a row of the specification unproven."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.proofs.ledger import Ledger
from tests.proofs.rows import ROWS, read_sections, suite_proofs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.proofs.ledger import Verdict

__all__ = ["NEED", "ProofPlugin"]

NEED = "need"
"""The property of a skipped test that names the mark of its missing need."""

_PROVES = "proves"
_SUITE = "tiered_cache.testing.tier_contract"
_SELECTIONS = (
    "keyword",
    "markexpr",
    "deselect",
    "ignore",
    "ignore_glob",
    "lf",
    "stepwise",
    "collectonly",
)
"""Options that leave tests out. A run with one of them checks no row."""


class ProofPlugin:
    """Collects the results of proofs, also from the workers of pytest-xdist.

    Args:
        config: The configuration of the session.
        rows: The file with the rows.
    """

    def __init__(self, config: pytest.Config, rows: Path = ROWS) -> None:
        self._config = config
        sections = read_sections(rows)
        self._rows = [row for section in sections for row in section.rows]
        self._suite = suite_proofs(sections)
        self._ledger = Ledger()
        self._verdict: Verdict | None = None

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Note on each test the rows that it proves; its reports carry the notes."""
        known = set(self._rows)
        for item in items:
            for row, test in self._proofs_of(item):
                if row not in known:
                    raise pytest.UsageError(f"{item.nodeid}: rows.toml has no row {row!r}")
                item.user_properties.append((_PROVES, [row, test]))

    def _proofs_of(self, item: pytest.Item) -> Iterator[tuple[str, str]]:
        test = item.nodeid.partition("[")[0]
        for mark in item.iter_markers(_PROVES):
            yield from ((row, test) for row in mark.args)
        function: Any = getattr(item, "function", None)
        if function and function.__module__.startswith(_SUITE):
            name = function.__name__
            yield from ((row, name) for row in self._suite.get(name, ()))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the result of a proof."""
        properties: list[tuple[str, Any]] = report.user_properties
        need = next((value for name, value in properties if name == NEED), None)
        for row, test in (value for name, value in properties if name == _PROVES):
            if report.passed and report.when == "call":
                self._ledger.add_pass(row, test)
            elif report.skipped:
                self._ledger.add_skip(row, test, _reason(report), need)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a full run that leaves a row unproven."""
        if hasattr(self._config, "workerinput") or not self._is_full(session):
            return
        self._verdict = self._ledger.verdict(self._rows)
        if self._verdict.unproven and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _is_full(self, session: pytest.Session) -> bool:
        """Whether every test ran: none was left out, and the run went to its end."""
        chosen = any(self._config.getoption(each, None) for each in _SELECTIONS)
        everything = self._config.args_source is pytest.Config.ArgsSource.TESTPATHS
        ended = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        return everything and ended and not chosen

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """List the rows without a proof, and those that wait for a need."""
        if self._verdict is None:
            return
        unproven, needs = self._verdict
        for title, lines in {
            "rows without a proof": [f"{row}: {why}" for row, why in unproven.items()],
            "rows with proofs skipped for a need": [
                f"{row}: {', '.join(missing)}" for row, missing in needs.items()
            ],
        }.items():
            if lines:
                terminalreporter.section(title)
                terminalreporter.write_line("\n".join(lines))
        proven = len(self._rows) - len(unproven.keys() | needs.keys())
        terminalreporter.write_line(f"{proven} of {len(self._rows)} rows proven")


def _reason(report: pytest.TestReport) -> str:
    where = report.longrepr
    return str(where[2]) if isinstance(where, tuple) else str(where)
