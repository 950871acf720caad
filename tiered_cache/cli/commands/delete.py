"""`delete`: remove keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache._terminal.json_output import print_json
from tiered_cache.cli.exits import NO, OK
from tiered_cache.cli.open_stack import OpenStack
from tiered_cache.cli.parsers import add_command, add_stack_options

if TYPE_CHECKING:
    import argparse

    from tiered_cache.cli.parsers import Commands

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
Remove keys from every tier. Exit code 1 if no tier had any of them, 4 if a tier
can't be reached.
"""
_EXAMPLES = """\
  tiered-cache delete greeting limits
"""


def add_parser(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "delete",
        "remove keys from every tier; exit code 1 if none was there",
        run,
        description=_DESCRIPTION,
        examples=_EXAMPLES,
    )
    parser.add_argument("key", nargs="+")
    add_stack_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Remove the keys."""
    stack = OpenStack(arguments)
    with stack as cache:
        count = cache.delete_many(arguments.key)
        if arguments.json:
            print_json({"deleted": count})
        return stack.code_if_whole(OK if count else NO)
