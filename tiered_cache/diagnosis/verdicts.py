"""The verdicts of a diagnosis, by stack and check."""

from __future__ import annotations

import enum
from typing import Any, NamedTuple, Protocol

__all__ = ["Check", "Diagnosis", "Verdict", "Watcher"]


class Verdict(enum.StrEnum):
    """The verdict of one check.

    `ADVICE` means that it works, but could fail later or work better. `SKIPPED` means that it
    could not be checked.
    """

    OK = "ok"
    ADVICE = "advice"
    PROBLEM = "problem"
    SKIPPED = "skipped"


class Check(NamedTuple):
    """One check of a stack.

    Attributes:
        subject: `"settings"`, the name of a tier, `"signing"`, `"journal"` or `"stack"`.
        name: The aspect that was checked, in one or two words, such as `"round trip"`.
        verdict: The verdict.
        finding: The observation, in one sentence.
        advice: The remedy; `""` if there is none.
        seconds: The duration of the check.
    """

    subject: str
    name: str
    verdict: Verdict
    finding: str
    advice: str
    seconds: float


class Diagnosis(NamedTuple):
    """The checks of one stack.

    Attributes:
        stack: The stack's name in the settings.
        namespace: Its namespace.
        tiers: The names of its tiers, fastest first.
        checks: All checks, in the order in which they ran.
    """

    stack: str
    namespace: str
    tiers: tuple[str, ...]
    checks: tuple[Check, ...]

    @property
    def healthy(self) -> bool:
        """Whether no check found a problem. There may be advice."""
        return not self.of(Verdict.PROBLEM)

    def of(self, verdict: Verdict) -> tuple[Check, ...]:
        """The checks with this verdict."""
        return tuple(each for each in self.checks if each.verdict is verdict)

    def to_dict(self) -> dict[str, Any]:
        """The diagnosis as plain data, ready for JSON."""
        return {
            "stack": self.stack,
            "namespace": self.namespace,
            "tiers": [*self.tiers],
            "healthy": self.healthy,
            "checks": [{**each._asdict(), "verdict": each.verdict.value} for each in self.checks],
        }


class Watcher(Protocol):
    """Follows a running diagnosis. Called in the thread that runs it; must not raise."""

    def stack(self, name: str, namespace: str, tiers: tuple[str, ...]) -> None:
        """The checks of a stack begin."""
        ...

    def began(self, subject: str, name: str) -> None:
        """A check begins."""
        ...

    def ended(self, check: Check) -> None:
        """A check has ended."""
        ...
