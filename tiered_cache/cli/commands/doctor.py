"""`doctor`: check that the stacks work here, and advise."""

from __future__ import annotations

import logging
import textwrap
from typing import TYPE_CHECKING

from tiered_cache._terminal.json_output import print_json
from tiered_cache._terminal.messages import colours_wanted, printable
from tiered_cache._terminal.progress import StatusLine
from tiered_cache.cli.exits import CONFIGURATION, NO, OK, UNAVAILABLE
from tiered_cache.cli.parsers import add_command, add_config_option

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from tiered_cache.cli.parsers import Commands
    from tiered_cache.diagnosis import Check, Diagnosis

__all__ = ["add_parser", "run"]

_SLOW_S = 0.1
"""A check that took longer is printed with its time."""
_COLOURS = {"ok": "32", "advice": "33", "problem": "31", "skipped": "2"}
_INDENT = 11
"""Columns before a finding: two blanks, the longest verdict and two blanks."""

_DESCRIPTION = """\
Check every stack of the settings by using it: each tier by itself (place,
server, rights, lock, round trip, deletion, lease, change log), then one user of
the stack changing an entry that another user has. Prints each problem with a
remedy. The keys of the probes are in a view of their own, and are removed. Exit
code 0 if nothing is wrong, 3 if the settings are, 4 if a tier can't do its
work, 1 for any other problem.
"""
_EXAMPLES = """\
  tiered-cache doctor
  tiered-cache doctor --stack ci
  tiered-cache doctor --json | jq '.stacks[].checks[].advice'
"""


def add_parser(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "doctor",
        "check that the stacks work here, and get advice",
        run,
        description=_DESCRIPTION,
        examples=_EXAMPLES,
    )
    parser.add_argument("--stack", metavar="NAME", help="only this stack; default: all of them")
    add_config_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check the stacks, printing each finding when it is known."""
    from tiered_cache.diagnosis import diagnose

    # The probes log the faults that they meet. The findings name them once, with a remedy.
    logging.getLogger("tiered_cache").setLevel(logging.CRITICAL)
    found = diagnose(
        arguments.stack,
        config_file=arguments.config,
        watcher=_CheckPrinter(quiet=arguments.json),
    )
    if arguments.json:
        healthy = all(each.healthy for each in found)
        print_json({"healthy": healthy, "stacks": [each.to_dict() for each in found]})
    else:
        print(_summary(found))
    return _code(found)


def _code(found: Sequence[Diagnosis]) -> int:
    from tiered_cache.diagnosis import Verdict

    problems = [(stack, check.subject) for stack in found for check in stack.of(Verdict.PROBLEM)]
    if not problems:
        return OK
    if any(subject == "settings" for _, subject in problems):
        return CONFIGURATION
    of_tiers = any(subject in stack.tiers or subject == "stack" for stack, subject in problems)
    return UNAVAILABLE if of_tiers else NO


def _summary(found: Sequence[Diagnosis]) -> str:
    from tiered_cache.diagnosis import Verdict

    problems, advice = (
        sum(len(each.of(verdict)) for each in found)
        for verdict in (Verdict.PROBLEM, Verdict.ADVICE)
    )
    verdict = f"problems: {problems}" if problems else "everything works"
    return f"\n{verdict}{',' if problems else ';'} pieces of advice: {advice}"


class _CheckPrinter:
    """Prints each check when it ends, and on a terminal the one that runs.

    Args:
        quiet: Print only the running check.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._line = StatusLine()
        self._colours = colours_wanted()
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
        colour = _COLOURS[check.verdict.value]
        shown = f"\x1b[{colour}m{verdict}\x1b[0m" if self._colours else verdict
        took = f" ({check.seconds:.1f} s)" if check.seconds >= _SLOW_S else ""
        name = check.name if check.name == check.subject else f"{check.subject} {check.name}"
        lines = self._wrapped(f"{name}: {check.finding}{took}", _INDENT)
        lines += self._wrapped(f"to do: {check.advice}", _INDENT) if check.advice else []
        # The verdict is printed apart: its colour codes must not count as width.
        print(f"  {shown}  {lines[0].lstrip()}", *lines[1:], sep="\n", flush=True)

    def _wrapped(self, text: str, columns: int) -> list[str]:
        """Lines that fit the width. Paths and commands are not broken, so that they can be copied."""
        indent = " " * columns
        return textwrap.wrap(
            printable(text),
            self._line.width,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
