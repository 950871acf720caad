"""The question before a command removes something."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tiered_cache._terminal.messages import say
from tiered_cache.cli.exits import NO, USAGE

if TYPE_CHECKING:
    import argparse

__all__ = ["declined"]


def declined(question: str, arguments: argparse.Namespace) -> int | None:
    """The exit code of a command that must not go on; `None` if it may.

    Asks on the terminal, unless `--yes` was given. With `--json` the question goes to standard
    error, so that standard output stays one document.
    """
    if arguments.yes:
        return None
    if not sys.stdin.isatty():
        say(f"tiered-cache: {arguments.command} can't ask without a terminal: use --yes")
        return USAGE
    output = sys.stderr if arguments.json else sys.stdout
    print(f"{question} [y/N] ", end="", file=output, flush=True)
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return None
    say("nothing was removed")
    return NO
