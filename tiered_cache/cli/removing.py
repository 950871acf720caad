"""`clear` and `invalidate`: removing many keys at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache.cli.asking import declined
from tiered_cache.cli.exits import OK, USAGE
from tiered_cache.cli.output import print_json, printable, say
from tiered_cache.cli.progress import Removing
from tiered_cache.cli.stack import OpenStack
from tiered_cache.manager import Cache

if TYPE_CHECKING:
    import argparse

    from tiered_cache.cache import TieredCache

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Run the command that was parsed."""
    mistake = _mistake(arguments) if arguments.command == "invalidate" else ""
    if mistake:
        say(f"tiered-cache: {mistake}")
        return USAGE
    stack = OpenStack(arguments)
    if arguments.command == "clear":
        tiers = printable(", ".join(stack.tier_names))
        question = f"Remove every key of the namespace {stack.namespace!r} from {tiers}?"
        code = declined(question, arguments)
        if code is not None:
            return code
    with stack as cache:
        if arguments.command == "clear":
            _clear(cache, arguments)
        else:
            _invalidate(cache, arguments)
        return stack.code_if_whole(OK)


def _mistake(arguments: argparse.Namespace) -> str:
    """What is wrong with the command line, if anything is."""
    named = [*arguments.tag, *arguments.prefix, *arguments.pattern]
    if not named:
        return "invalidate needs a --tag, a --prefix or a --pattern"
    if "" in named:
        return "a tag, prefix or pattern must not be empty: clear removes everything"
    return ""


def _clear(cache: TieredCache, arguments: argparse.Namespace) -> None:
    with Removing() as removing:
        count = cache.clear(removing.from_tier)
    _tell({"cleared": count}, count, arguments)


def _invalidate(cache: TieredCache, arguments: argparse.Namespace) -> None:
    tags = sorted({*arguments.tag})
    count = 0
    if tags:
        cache.invalidate_tags(*tags)
    with Removing() as removing:
        for prefix in arguments.prefix:
            count += cache.invalidate_prefix(prefix, removing.from_tier)
        for pattern in arguments.pattern:
            count += Cache("", cache).delete_pattern(pattern, removing.of_all)
    if tags and not arguments.json:
        print(f"invalidated {printable(', '.join(tags))}")
    if arguments.json or arguments.prefix or arguments.pattern:
        _tell({"tags": tags, "removed": count}, count, arguments)


def _tell(document: dict[str, Any], count: int, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print_json(document)
    else:
        print(f"removed {count} keys")
