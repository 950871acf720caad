"""`clear`: remove every key of the namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache._terminal.json_output import print_json
from tiered_cache._terminal.messages import printable
from tiered_cache._terminal.progress import ProgressBar
from tiered_cache.cli.confirmation import declined
from tiered_cache.cli.exits import OK
from tiered_cache.cli.open_stack import OpenStack
from tiered_cache.cli.parsers import add_command, add_stack_options

if TYPE_CHECKING:
    import argparse

    from tiered_cache.cli.parsers import Commands

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
Remove every key of the stack's namespace from every tier. Other namespaces and
other users of the same server keep theirs. Asks first, unless --yes is given.
Exit code 1 if the answer is no, 2 if there is no terminal to ask on, 4 if a
tier can't be reached.
"""
_EXAMPLES = """\
  tiered-cache clear --stack ci --yes
"""


def add_parser(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "clear",
        "remove every key of the stack's namespace; asks first",
        run,
        description=_DESCRIPTION,
        examples=_EXAMPLES,
    )
    parser.add_argument("--yes", action="store_true", help="remove without asking")
    add_stack_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Ask, then remove the keys with a progress bar."""
    stack = OpenStack(arguments)
    tiers = printable(", ".join(stack.tier_names))
    code = declined(
        f"Remove every key of the namespace {stack.namespace!r} from {tiers}?", arguments
    )
    if code is not None:
        return code
    with stack as cache:
        with ProgressBar("keys") as bar:
            count = cache.clear(
                lambda tier, removed: bar.show(f"removing from {printable(tier)}", removed)
            )
        if arguments.json:
            print_json({"cleared": count})
        else:
            print(f"removed {count} keys")
        return stack.code_if_whole(OK)
