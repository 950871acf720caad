"""`get`, `set`, `delete` and `keys`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tiered_cache.cli.exits import FAILED, NO, OK, UNAVAILABLE, USAGE
from tiered_cache.cli.output import finite, print_json, printable, printable_lines, say, to_json
from tiered_cache.cli.stack import OpenStack
from tiered_cache.results import LookupStatus, WriteOutcome

if TYPE_CHECKING:
    import argparse

    from tiered_cache.cache import TieredCache

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Run the command that was parsed."""
    if arguments.command == "set" and arguments.json_value:
        try:
            arguments.value = json.loads(arguments.value)
        except (ValueError, RecursionError) as error:
            say(f"tiered-cache: the value is not JSON that can be read: {error}")
            return USAGE
    stack = OpenStack(arguments)
    with stack as cache:
        code = _COMMANDS[arguments.command](cache, arguments)
        if arguments.command in _NEED_EVERY_TIER:
            code = stack.code_if_whole(code)
    return code


def _get(cache: TieredCache, arguments: argparse.Namespace) -> int:
    found = cache.lookup(arguments.key)
    if arguments.json:
        shown = found._asdict() | {"key": arguments.key, "tags": sorted(found.tags)}
        print_json({**shown, "remaining_s": finite(found.remaining_s)})
    elif isinstance(found.value, str) and found.found:
        print(found.value)
    elif found.found:
        print(_as_text(found.value))
    if found.status is LookupStatus.ERROR:
        say("tiered-cache: no tier that could be asked has the key, and not all could be asked")
        return UNAVAILABLE
    return OK if found.found else NO


def _set(cache: TieredCache, arguments: argparse.Namespace) -> int:
    result = cache.set(arguments.key, arguments.value, ttl=_ttl(arguments.ttl), tags=arguments.tag)
    if arguments.json:
        print_json({"stored": result.stored, "tiers": [each._asdict() for each in result.tiers]})
    for each in result.tiers:
        if each.reason:
            say(printable_lines(f"{each.tier}: {each.outcome.value}: {each.reason}"))
    if not result:
        return UNAVAILABLE
    refused = any(each.outcome is WriteOutcome.REFUSED for each in result.tiers)
    return FAILED if refused else OK


def _delete(cache: TieredCache, arguments: argparse.Namespace) -> int:
    count = cache.delete_many(arguments.key)
    if arguments.json:
        print_json({"deleted": count})
    return OK if count else NO


def _keys(cache: TieredCache, arguments: argparse.Namespace) -> int:
    keys = cache.keys(arguments.prefix)
    if arguments.json:
        print_json(sorted(keys))
        return OK
    for key in keys:
        print(printable(key))
    return OK


def _ttl(text: str | None) -> str | float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def _as_text(value: object) -> str:
    try:
        return to_json(value)
    except (TypeError, ValueError, RecursionError):
        return printable_lines(repr(value))


_COMMANDS = {"get": _get, "set": _set, "delete": _delete, "keys": _keys}

_NEED_EVERY_TIER = ("delete", "keys")
"""What these do or tell is not true unless every tier was asked."""
