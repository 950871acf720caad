"""`invalidate`: remove entries by tag, prefix or pattern."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tiered_cache._terminal.json_output import print_json
from tiered_cache._terminal.messages import printable, say
from tiered_cache._terminal.progress import ProgressBar
from tiered_cache.cli.exits import OK, USAGE
from tiered_cache.cli.open_stack import OpenStack
from tiered_cache.cli.parsers import add_command, add_stack_options

if TYPE_CHECKING:
    import argparse

    from tiered_cache.cache import TieredCache
    from tiered_cache.cli.parsers import Commands

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
--tag: stop serving the entries stored under the tag, in every process and host
that shares the stack's tiers. It takes the same time for any number of entries.
--prefix: remove the keys that begin with a text.
--pattern: remove the keys that match (* any text, ? one character, [abc] one of
these); scans the keys.

A terminal shows the progress. Exit code 4 if a tier can't be reached.
"""
_EXAMPLES = """\
  tiered-cache invalidate --tag repo:x --tag branch:main
  tiered-cache invalidate --prefix report:2025-
  tiered-cache invalidate --pattern 'user:*:avatar' --stack ci
"""


def add_parser(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "invalidate",
        "remove entries by tag, key prefix or key pattern",
        run,
        description=_DESCRIPTION,
        examples=_EXAMPLES,
    )
    for option, value in (("--tag", "NAME"), ("--prefix", "TEXT"), ("--pattern", "PATTERN")):
        parser.add_argument(
            option, action="append", default=[], metavar=value, help="may be repeated"
        )
    add_stack_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Invalidate the tags, then remove the keys with a progress bar."""
    mistake = _mistake(arguments)
    if mistake:
        say(f"tiered-cache: {mistake}")
        return USAGE
    stack = OpenStack(arguments)
    with stack as cache:
        tags = sorted({*arguments.tag})
        if tags:
            cache.invalidate_tags(*tags)
        count = _remove(cache, arguments.prefix, arguments.pattern)
        if arguments.json:
            print_json({"tags": tags, "removed": count})
            return stack.code_if_whole(OK)
        if tags:
            print(f"invalidated {printable(', '.join(tags))}")
        if arguments.prefix or arguments.pattern:
            print(f"removed {count} keys")
        return stack.code_if_whole(OK)


def _mistake(arguments: argparse.Namespace) -> str:
    """The mistake in the command line; `""` if there is none."""
    named = [*arguments.tag, *arguments.prefix, *arguments.pattern]
    if not named:
        return "invalidate needs a --tag, a --prefix or a --pattern"
    if "" in named:
        return "a tag, prefix or pattern must not be empty: clear removes everything"
    return ""


def _remove(cache: TieredCache, prefixes: list[str], patterns: list[str]) -> int:
    """Remove keys by prefix and by pattern; the number of keys removed."""
    from tiered_cache.manager import Cache

    count = 0
    with ProgressBar("keys") as bar:
        for prefix in prefixes:
            count += cache.invalidate_prefix(
                prefix, lambda tier, removed: bar.show(f"removing from {printable(tier)}", removed)
            )
        for pattern in patterns:
            count += Cache("", cache).delete_pattern(pattern, partial(bar.show, "removing"))
    return count
