"""`get`, `set`, `delete`, `keys` and `clear`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from tiered_cache.cli.exits import NO, OK, UNAVAILABLE, USAGE
from tiered_cache.cli.output import print_json, printable, say
from tiered_cache.cli.stack import open_stack
from tiered_cache.outcomes import LookupStatus

if TYPE_CHECKING:
    import argparse

    from tiered_cache.cache import TieredCache

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Run the command that was parsed."""
    if arguments.command == "set" and arguments.json_value:
        try:
            arguments.value = json.loads(arguments.value)
        except ValueError as error:
            say(f"tiered-cache: the value is not JSON: {error}")
            return USAGE
    if arguments.command == "clear" and not (arguments.yes or _agreed(arguments)):
        return USAGE
    with open_stack(arguments) as cache:
        return _COMMANDS[arguments.command](cache, arguments)


def _agreed(arguments: argparse.Namespace) -> bool:
    if not sys.stdin.isatty():
        say(
            "tiered-cache: clear asks before it removes anything, and there is no terminal: use --yes"
        )
        return False
    print(
        f"Remove every key of the stack {printable(arguments.stack)!r}? [y/N] ", end="", flush=True
    )
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return True
    say("nothing was removed")
    return False


def _get(cache: TieredCache, arguments: argparse.Namespace) -> int:
    found = cache.lookup(arguments.key)
    if arguments.json:
        shown = found._asdict() | {"key": arguments.key, "tags": sorted(found.tags)}
        print_json({**shown, "remaining_s": _finite(found.remaining_s)})
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
            say(f"{each.tier}: {each.outcome.value}: {each.reason}")
    return OK if result else UNAVAILABLE


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


def _clear(cache: TieredCache, arguments: argparse.Namespace) -> int:
    count = cache.clear()
    if arguments.json:
        print_json({"cleared": count})
    else:
        print(f"removed {count} keys")
    return OK


def _ttl(text: str | None) -> str | float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def _finite(seconds: float) -> float | None:
    return None if seconds == float("inf") else seconds


def _as_text(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        return repr(value)


_COMMANDS = {"get": _get, "set": _set, "delete": _delete, "keys": _keys, "clear": _clear}
