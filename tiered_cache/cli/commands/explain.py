"""`explain`: the state of a key in each tier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache._terminal.json_output import finite, print_json
from tiered_cache._terminal.tables import print_table
from tiered_cache.cli.exits import NO, OK, UNAVAILABLE
from tiered_cache.cli.open_stack import OpenStack
from tiered_cache.cli.parsers import OWN_MEMORY, add_command, add_stack_options

if TYPE_CHECKING:
    import argparse

    from tiered_cache.cli.parsers import Commands
    from tiered_cache.results import Explanation

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
For each tier: whether it would answer a lookup of the key, the entry's age,
remaining lifetime and size there, and the reason if it would not answer.
Promotes and counts nothing.
"""
_EXAMPLES = """\
  tiered-cache explain greeting
"""


def add_parser(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "explain",
        "the state of a key in each tier; exit code 1 if none has it",
        run,
        description=f"{_DESCRIPTION}\n{OWN_MEMORY}",
        examples=_EXAMPLES,
    )
    parser.add_argument("key")
    add_stack_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print a row for each tier."""
    stack = OpenStack(arguments)
    with stack as cache:
        tiers = cache.explain(arguments.key)
        if arguments.json:
            print_json([_document(each) for each in tiers])
        else:
            columns = ("tier", "present", "age", "remaining", "bytes", "why")
            print_table(columns, [_row(each) for each in tiers])
        if any(each.present for each in tiers):
            return OK
        return UNAVAILABLE if stack.unreached() else NO


def _document(tier: Explanation) -> dict[str, object]:
    return {
        **tier._asdict(),
        "remaining_s": finite(tier.remaining_s),
        "tags": sorted(tier.tags),
    }


def _row(tier: Explanation) -> tuple[object, ...]:
    return (
        tier.tier,
        "yes" if tier.present else "no",
        _seconds(tier.age_s),
        _seconds(tier.remaining_s),
        "" if tier.bytes is None else tier.bytes,
        tier.why,
    )


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return "no limit" if seconds == float("inf") else f"{seconds:.1f} s"
