"""Runs the checks of a stack, times them, and reports them to the watcher."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tiered_cache.diagnosis.error_results import result_of
from tiered_cache.diagnosis.verdicts import Check, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache.diagnosis.check_result import CheckResult
    from tiered_cache.diagnosis.verdicts import Watcher

__all__ = ["CheckRunner"]


class CheckRunner:
    """Runs the checks of one stack. For one thread.

    Args:
        watcher: Notified of each check; `None` for none.

    Attributes:
        checks: The checks so far, in the order in which they ran.
    """

    def __init__(self, watcher: Watcher | None) -> None:
        self._watcher = watcher
        self.checks: list[Check] = []

    def run(self, subject: str, name: str, check: Callable[[], CheckResult]) -> bool:
        """Run `check`, and return whether it found no problem. An exception counts as a result."""
        if self._watcher is not None:
            self._watcher.began(subject, name)
        started = time.perf_counter()
        try:
            result = check()
        except Exception as error:
            result = result_of(error)
        seconds = time.perf_counter() - started
        done = Check(subject, name, result.verdict, result.finding, result.advice, seconds)
        self.checks.append(done)
        if self._watcher is not None:
            self._watcher.ended(done)
        return done.verdict is not Verdict.PROBLEM

    def has_problem(self, *subjects: str) -> bool:
        """Whether a check of one of `subjects` found a problem."""
        return any(
            each.subject in subjects and each.verdict is Verdict.PROBLEM for each in self.checks
        )
