"""`set`: store a value."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tiered_cache._terminal.json_output import print_json
from tiered_cache._terminal.messages import printable_lines, say
from tiered_cache.cli.exits import FAILED, OK, UNAVAILABLE, USAGE
from tiered_cache.cli.open_stack import OpenStack
from tiered_cache.cli.parsers import OWN_MEMORY, add_command, add_stack_options
from tiered_cache.units import parse_lifetime

if TYPE_CHECKING:
    import argparse

    from tiered_cache.cli.parsers import Commands
    from tiered_cache.results import WriteResult

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
Store a value: the text itself, or with --json-value the JSON in it. Exit code 4
if a tier can't be reached, 5 if a tier refuses the value, by its size for
example.
"""
_EXAMPLES = """\
  tiered-cache set greeting hello --ttl 1h
  tiered-cache set limits '{"files": [1, null]}' --json-value --tag repo:x
"""


def add_parser(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "set",
        "store a value",
        run,
        description=f"{_DESCRIPTION}\n{OWN_MEMORY}",
        examples=_EXAMPLES,
    )
    parser.add_argument("key")
    parser.add_argument("value", help="a string, or JSON with --json-value")
    parser.add_argument("--ttl", help="lifetime, such as 90, 10m or 1d; default: the stack's")
    parser.add_argument(
        "--tag", action="append", default=[], metavar="NAME", help="a tag; may be repeated"
    )
    parser.add_argument("--json-value", action="store_true", help="read the value as JSON")
    add_stack_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Store the value, and print the tiers that did not take it."""
    value: object = arguments.value
    if arguments.json_value:
        try:
            value = json.loads(arguments.value)
        except (ValueError, RecursionError) as error:
            say(f"tiered-cache: the value is not JSON that can be read: {error}")
            return USAGE
    ttl = None if arguments.ttl is None else _lifetime_s(arguments.ttl)
    with OpenStack(arguments) as cache:
        result = cache.set(arguments.key, value, ttl=ttl, tags=arguments.tag)
        _print_result(result, as_json=arguments.json)
        return _code(result)


def _lifetime_s(text: str) -> float:
    return parse_lifetime(text, name="--ttl", no_limit="leave --ttl out for the stack's default")


def _print_result(result: WriteResult, *, as_json: bool) -> None:
    if as_json:
        print_json({"stored": result.stored, "tiers": [each._asdict() for each in result.tiers]})
    for each in result.tiers:
        if each.reason:
            say(printable_lines(f"{each.tier}: {each.outcome.value}: {each.reason}"))


def _code(result: WriteResult) -> int:
    from tiered_cache.results import WriteOutcome

    if not result:
        return UNAVAILABLE
    refused = any(each.outcome is WriteOutcome.REFUSED for each in result.tiers)
    return FAILED if refused else OK
