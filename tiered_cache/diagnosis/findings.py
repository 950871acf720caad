"""What a diagnosis finds, and how it tells whoever watches it."""

from __future__ import annotations

import enum
from typing import Any, NamedTuple, Protocol

__all__ = [
    "Check",
    "Diagnosis",
    "Finding",
    "Verdict",
    "Watcher",
    "advise",
    "fine",
    "left_out",
    "wrong",
]


class Verdict(enum.StrEnum):
    """How one check ended.

    `ADVICE` works, but could fail later or serve better; `SKIPPED` could not be looked at.
    """

    OK = "ok"
    ADVICE = "advice"
    PROBLEM = "problem"
    SKIPPED = "skipped"


class Finding(NamedTuple):
    """What was found, before it is known how long that took."""

    verdict: Verdict
    text: str
    advice: str = ""


class Check(NamedTuple):
    """One thing that was looked at.

    Attributes:
        subject: `"settings"`, the name of a tier, `"signing"`, `"journal"` or `"stack"`.
        name: What was looked at, in a word or two, such as `"round trip"`.
        verdict: How it ended.
        finding: What was found, in a sentence.
        advice: What to change; `""` where there is nothing.
        seconds: How long the check took.
    """

    subject: str
    name: str
    verdict: Verdict
    finding: str
    advice: str
    seconds: float


class Diagnosis(NamedTuple):
    """What was found of one stack.

    Attributes:
        stack: Its name in the settings.
        namespace: Its namespace.
        tiers: The names of its tiers, fastest first.
        checks: Everything that was looked at, in that order.
    """

    stack: str
    namespace: str
    tiers: tuple[str, ...]
    checks: tuple[Check, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong; there may be advice."""
        return not self.of(Verdict.PROBLEM)

    def of(self, verdict: Verdict) -> tuple[Check, ...]:
        """The checks that ended so."""
        return tuple(each for each in self.checks if each.verdict is verdict)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {
            "stack": self.stack,
            "namespace": self.namespace,
            "tiers": [*self.tiers],
            "healthy": self.healthy,
            "checks": [{**each._asdict(), "verdict": each.verdict.value} for each in self.checks],
        }


class Watcher(Protocol):
    """Whoever wants to see a diagnosis while it is made; called in the thread that makes it."""

    def stack(self, name: str, namespace: str, tiers: tuple[str, ...]) -> None:
        """A stack is looked at from now on."""
        ...

    def began(self, subject: str, name: str) -> None:
        """A check begins."""
        ...

    def ended(self, check: Check) -> None:
        """It ended."""
        ...


def fine(text: str) -> Finding:
    """All is well."""
    return Finding(Verdict.OK, text)


def advise(text: str, advice: str) -> Finding:
    """It works, and could be better."""
    return Finding(Verdict.ADVICE, text, advice)


def wrong(text: str, advice: str) -> Finding:
    """It does not work."""
    return Finding(Verdict.PROBLEM, text, advice)


def left_out(text: str, advice: str = "") -> Finding:
    """It could not be looked at."""
    return Finding(Verdict.SKIPPED, text, advice)
