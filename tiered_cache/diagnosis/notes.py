"""Making checks: timed, told to the watcher, and never raising."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tiered_cache.diagnosis.faults import explained
from tiered_cache.diagnosis.findings import Check, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache.diagnosis.findings import Finding, Watcher

__all__ = ["Notes"]


class Notes:
    """The checks of one stack, in their order.

    Args:
        watcher: Who is told of each; nobody without.
    """

    def __init__(self, watcher: Watcher | None) -> None:
        self._watcher = watcher
        self.checks: list[Check] = []

    def look(self, subject: str, name: str, probe: Callable[[], Finding]) -> bool:
        """Make a check, of which what it raises is the finding; whether it found no problem."""
        if self._watcher is not None:
            self._watcher.began(subject, name)
        started = time.perf_counter()
        try:
            finding = probe()
        except Exception as error:
            finding = explained(error)
        seconds = time.perf_counter() - started
        check = Check(subject, name, finding.verdict, finding.text, finding.advice, seconds)
        self.checks.append(check)
        if self._watcher is not None:
            self._watcher.ended(check)
        return check.verdict is not Verdict.PROBLEM

    def has_problem(self, *subjects: str) -> bool:
        """Whether one was found with one of `subjects`."""
        return any(
            each.subject in subjects and each.verdict is Verdict.PROBLEM for each in self.checks
        )
