"""`get`: print a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache._terminal.json_output import finite, print_json, to_json
from tiered_cache._terminal.messages import printable_lines, say
from tiered_cache.cli.exits import NO, OK, UNAVAILABLE
from tiered_cache.cli.open_stack import OpenStack
from tiered_cache.cli.parsers import add_command, add_stack_options

if TYPE_CHECKING:
    import argparse

    from tiered_cache.cli.parsers import Commands
    from tiered_cache.results import Lookup

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
Print the value of a key: a string as it is, other plain data as JSON, anything
else as Python shows it. --json prints the whole lookup: status, value, tier,
age, remaining lifetime (null: no limit), cost and tags. Exit code 1 if there is
no value, 4 if a tier that may have it can't be reached.
"""
_EXAMPLES = """\
  tiered-cache get greeting
  tiered-cache get greeting --json | jq .remaining_s
  tiered-cache get -- -key-that-begins-with-a-dash
"""


def add_parser(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "get",
        "print a value; exit code 1 if there is none",
        run,
        description=_DESCRIPTION,
        examples=_EXAMPLES,
    )
    parser.add_argument("key")
    add_stack_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Look the key up and print its value, or the whole lookup."""
    from tiered_cache.results import LookupStatus

    with OpenStack(arguments) as cache:
        found = cache.lookup(arguments.key)
        if arguments.json:
            shown = found._asdict() | {"key": arguments.key, "tags": sorted(found.tags)}
            print_json({**shown, "remaining_s": finite(found.remaining_s)})
        elif found.found:
            print(_text(found))
        if found.status is LookupStatus.ERROR:
            say("tiered-cache: no reachable tier has the key, and a tier can't be reached")
            return UNAVAILABLE
        return OK if found.found else NO


def _text(found: Lookup) -> str:
    if isinstance(found.value, str):
        return found.value
    try:
        return to_json(found.value)
    except (TypeError, ValueError, RecursionError):
        return printable_lines(repr(found.value))
