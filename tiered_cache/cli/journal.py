"""`journal`: the writes that are queued on disk."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tiered_cache.cli.asking import declined
from tiered_cache.cli.exits import NO, OK, UNAVAILABLE
from tiered_cache.cli.output import print_json, print_table, say
from tiered_cache.cli.stack import OpenStack

if TYPE_CHECKING:
    import argparse

    from tiered_cache.cache import TieredCache
    from tiered_cache.results import JournalEntry

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Run the command that was parsed."""
    stack = OpenStack(arguments)
    if arguments.action == "drop":
        which = "these writes" if arguments.key else "every write that was given up"
        code = declined(f"Forget {which} for good?", arguments)
        if code is not None:
            return code
    with stack as cache:
        return _ACTIONS[arguments.action](cache, arguments)


def _list(cache: TieredCache, arguments: argparse.Namespace) -> int:
    entries = [each for each in cache.journal() if not arguments.key or each.key in arguments.key]
    if arguments.json:
        print_json([each._asdict() for each in entries])
        return OK
    if not entries:
        say("the journal is empty")
        return OK
    now_s = time.time()
    rows = [
        (
            f"{each.key}*" if each.clears else each.key,
            _what(each),
            f"{max(0.0, now_s - each.since_s):.0f} s",
            each.owner,
            each.trouble or "waits",
        )
        for each in entries
    ]
    print_table(("key", "what", "age", "process", "state"), rows)
    return OK


def _what(entry: JournalEntry) -> str:
    if entry.clears:
        return "clear"
    return "deletion" if entry.deletes else f"{entry.bytes:,} bytes"


def _retry(cache: TieredCache, arguments: argparse.Namespace) -> int:
    count = cache.retry_parked(arguments.key or None)
    written = cache.flush()
    again = [each for each in _parked(cache) if not arguments.key or each.key in arguments.key]
    if arguments.json:
        print_json({"retried": count, "parked": [each.key for each in again]})
    else:
        say(f"{count} writes were tried once more, and {len(again)} are parked again")
    if not count:
        return NO
    return OK if written and not again else UNAVAILABLE


def _drop(cache: TieredCache, arguments: argparse.Namespace) -> int:
    count = cache.drop_parked(arguments.key or None)
    if arguments.json:
        print_json({"dropped": count})
    else:
        say(f"{count} writes were dropped")
    return OK if count else NO


def _parked(cache: TieredCache) -> list[JournalEntry]:
    return [each for each in cache.journal() if each.trouble]


_ACTIONS = {"list": _list, "retry": _retry, "drop": _drop}
