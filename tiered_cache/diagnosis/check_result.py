"""The result of one check, before it is timed and named."""

from __future__ import annotations

from typing import NamedTuple

from tiered_cache.diagnosis.verdicts import Verdict

__all__ = ["CheckResult", "advise", "ok", "problem", "skipped"]


class CheckResult(NamedTuple):
    """The verdict of a check, its finding, and the remedy.

    Attributes:
        verdict: The verdict.
        finding: The observation, in one sentence.
        advice: The remedy; `""` if there is none.
    """

    verdict: Verdict
    finding: str
    advice: str = ""


def ok(finding: str) -> CheckResult:
    """It works."""
    return CheckResult(Verdict.OK, finding)


def advise(finding: str, advice: str) -> CheckResult:
    """It works, but could fail later or work better."""
    return CheckResult(Verdict.ADVICE, finding, advice)


def problem(finding: str, advice: str) -> CheckResult:
    """It does not work."""
    return CheckResult(Verdict.PROBLEM, finding, advice)


def skipped(finding: str, advice: str = "") -> CheckResult:
    """It could not be checked."""
    return CheckResult(Verdict.SKIPPED, finding, advice)
