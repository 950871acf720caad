"""`keys`: list keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache._terminal.json_output import print_json
from tiered_cache._terminal.messages import printable
from tiered_cache.cli.exits import OK
from tiered_cache.cli.open_stack import OpenStack
from tiered_cache.cli.parsers import add_command, add_stack_options

if TYPE_CHECKING:
    import argparse

    from tiered_cache.cli.parsers import Commands

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
List all keys, or those that begin with a prefix, one per line. Control
characters are escaped; --json prints the keys exactly. Scans every tier. Exit
code 4 if a tier can't be reached: the list is not complete then.
"""
_EXAMPLES = """\
  tiered-cache keys user:
  tiered-cache keys --json | jq length
"""


def add_parser(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "keys",
        "list the keys that begin with a prefix",
        run,
        description=_DESCRIPTION,
        examples=_EXAMPLES,
    )
    parser.add_argument("prefix", nargs="?", default="", help="default: all keys")
    add_stack_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the keys."""
    stack = OpenStack(arguments)
    with stack as cache:
        keys = cache.keys(arguments.prefix)
        if arguments.json:
            print_json(sorted(keys))
        else:
            for key in keys:
                print(printable(key))
        return stack.code_if_whole(OK)
