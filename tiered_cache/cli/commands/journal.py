"""`journal`: list, retry or drop writes that are queued on disk."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tiered_cache._terminal.json_output import print_json
from tiered_cache._terminal.messages import say
from tiered_cache._terminal.tables import print_table
from tiered_cache.cli.confirmation import declined
from tiered_cache.cli.exits import NO, OK, UNAVAILABLE
from tiered_cache.cli.open_stack import OpenStack
from tiered_cache.cli.parsers import add_command, add_stack_options

if TYPE_CHECKING:
    import argparse

    from tiered_cache.cache import TieredCache
    from tiered_cache.cli.parsers import Commands
    from tiered_cache.results import JournalEntry

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
The journal holds the writes that write-back with durability 'disk' has
acknowledged and that some tier does not have yet.

list: the queued writes of every process of this host.
retry: try the parked ones again, which were given up; exit code 4 if they fail
again.
drop: remove the parked ones from the journal for good; asks first.

Writes that a dead process left are flushed by any command.
"""
_EXAMPLES = """\
  tiered-cache journal list
  tiered-cache journal retry
  tiered-cache journal drop report:17 --yes
"""


def add_parser(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "journal",
        "list, retry or drop writes that are queued on disk",
        run,
        description=_DESCRIPTION,
        examples=_EXAMPLES,
    )
    parser.add_argument("action", choices=["list", "retry", "drop"])
    parser.add_argument("key", nargs="*", help="only these keys; default: all")
    parser.add_argument("--yes", action="store_true", help="drop without asking")
    add_stack_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """List, retry or drop the writes."""
    stack = OpenStack(arguments)
    if arguments.action == "drop":
        writes = "these writes" if arguments.key else "every parked write"
        code = declined(f"Drop {writes} for good?", arguments)
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
    rows = [_row(each, now_s) for each in entries]
    print_table(("key", "write", "age", "process", "state"), rows)
    return OK


def _row(entry: JournalEntry, now_s: float) -> tuple[str, ...]:
    return (
        f"{entry.key}*" if entry.clears else entry.key,
        _write(entry),
        f"{max(0.0, now_s - entry.since_s):.0f} s",
        entry.owner,
        entry.trouble or "waits",
    )


def _write(entry: JournalEntry) -> str:
    if entry.clears:
        return "clear"
    return "deletion" if entry.deletes else f"{entry.bytes:,} bytes"


def _retry(cache: TieredCache, arguments: argparse.Namespace) -> int:
    count = cache.retry_parked(arguments.key or None)
    written = cache.flush()
    parked = [each for each in cache.journal() if each.trouble]
    again = [each.key for each in parked if not arguments.key or each.key in arguments.key]
    if arguments.json:
        print_json({"retried": count, "parked": again})
    else:
        say(f"retried {count} writes; {len(again)} are parked again")
    if not count:
        return NO
    return OK if written and not again else UNAVAILABLE


def _drop(cache: TieredCache, arguments: argparse.Namespace) -> int:
    count = cache.drop_parked(arguments.key or None)
    if arguments.json:
        print_json({"dropped": count})
    else:
        say(f"dropped {count} writes")
    return OK if count else NO


_ACTIONS = {"list": _list, "retry": _retry, "drop": _drop}
