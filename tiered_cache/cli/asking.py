"""Asking before something is removed for good."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tiered_cache.cli.exits import NO, USAGE
from tiered_cache.cli.output import say

if TYPE_CHECKING:
    import argparse

__all__ = ["declined"]


def declined(question: str, arguments: argparse.Namespace) -> int | None:
    """The exit code of a command that must not go on; `None` if it may.

    Asks on the terminal, unless the command has `--yes`. With `--json` the question goes to
    standard error, so that the output stays one document.
    """
    if arguments.yes:
        return None
    if not sys.stdin.isatty():
        say(
            f"tiered-cache: {arguments.command} asks before it removes anything, and has no terminal: use --yes"
        )
        return USAGE
    output = sys.stderr if arguments.json else sys.stdout
    print(f"{question} [y/N] ", end="", file=output, flush=True)
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return None
    say("nothing was removed")
    return NO
