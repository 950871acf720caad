"""`doctor`: whether the stacks work here, and what to change."""

from __future__ import annotations

import logging
import os
import sys
import textwrap
from typing import TYPE_CHECKING

from tiered_cache.cli.exits import CONFIGURATION, NO, OK, UNAVAILABLE
from tiered_cache.cli.output import print_json, printable
from tiered_cache.cli.progress import StatusLine
from tiered_cache.diagnosis import Verdict, diagnose

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from tiered_cache.diagnosis import Check, Diagnosis

__all__ = ["run"]

_WORTH_TELLING_S = 0.1
_COLOURS = {Verdict.OK: "32", Verdict.ADVICE: "33", Verdict.PROBLEM: "31", Verdict.SKIPPED: "2"}
_INDENT = 11
"""Of what stands beside a verdict: two blanks, the longest verdict and two blanks."""


def run(arguments: argparse.Namespace) -> int:
    """Run the command that was parsed."""
    # What the probes run into is told below, once and with what to do.
    logging.getLogger("tiered_cache").setLevel(logging.CRITICAL)
    found = diagnose(
        arguments.stack,
        config_file=arguments.config,
        watcher=_Screen(quiet=arguments.json),
    )
    if arguments.json:
        healthy = all(each.healthy for each in found)
        print_json({"healthy": healthy, "stacks": [each.to_dict() for each in found]})
    else:
        print(_summary(found))
    return _code(found)


def _code(found: Sequence[Diagnosis]) -> int:
    wrong = {
        (check.subject in stack.tiers or check.subject == "stack", check.subject)
        for stack in found
        for check in stack.of(Verdict.PROBLEM)
    }
    if not wrong:
        return OK
    if any(subject == "settings" for _, subject in wrong):
        return CONFIGURATION
    return UNAVAILABLE if any(is_tier for is_tier, _ in wrong) else NO


def _summary(found: Sequence[Diagnosis]) -> str:
    counts = {
        verdict: sum(len(each.of(verdict)) for each in found)
        for verdict in (Verdict.PROBLEM, Verdict.ADVICE)
    }
    if counts[Verdict.PROBLEM]:
        return f"\nproblems: {counts[Verdict.PROBLEM]}, pieces of advice: {counts[Verdict.ADVICE]}"
    return f"\neverything works; pieces of advice: {counts[Verdict.ADVICE]}"


class _Screen:
    """Shows each check as it ends, and on a terminal the one that is being made.

    Args:
        quiet: Print no checks.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._line = StatusLine()
        self._colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self._is_first = True

    def stack(self, name: str, namespace: str, tiers: tuple[str, ...]) -> None:
        if self._quiet:
            return
        about = f"{name}: {', '.join(tiers)}, namespace {namespace}" if tiers else name
        blank = [] if self._is_first else [""]
        print(*blank, *self._wrapped(about, 0), sep="\n", flush=True)
        self._is_first = False

    def began(self, subject: str, name: str) -> None:
        self._line.show(f"{subject}: {name} ...")

    def ended(self, check: Check) -> None:
        self._line.show("")
        if self._quiet:
            return
        verdict = f"{check.verdict.value:7}"
        shown = f"\x1b[{_COLOURS[check.verdict]}m{verdict}\x1b[0m" if self._colours else verdict
        took = f" ({check.seconds:.1f} s)" if check.seconds >= _WORTH_TELLING_S else ""
        what = check.name if check.name == check.subject else f"{check.subject} {check.name}"
        lines = self._wrapped(f"{what}: {check.finding}{took}", _INDENT)
        lines += self._wrapped(f"to do: {check.advice}", _INDENT) if check.advice else []
        # The verdict by itself: a colour is not to count as width.
        print(f"  {shown}  {lines[0].lstrip()}", *lines[1:], sep="\n", flush=True)

    def _wrapped(self, text: str, columns: int) -> list[str]:
        """Lines that fit, but for paths and commands, which stay as they can be copied."""
        indent = " " * columns
        return textwrap.wrap(
            printable(text),
            self._line.width,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
