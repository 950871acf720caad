"""`stats`: the statistics of all processes, once or repeatedly."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from tiered_cache._terminal.json_output import print_json, to_json
from tiered_cache._terminal.messages import printable
from tiered_cache._terminal.tables import table_text
from tiered_cache.cli.exits import OK, UNAVAILABLE
from tiered_cache.cli.open_stack import OpenStack
from tiered_cache.cli.parsers import add_command, add_stack_options

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from tiered_cache.cache import TieredCache
    from tiered_cache.cli.parsers import Commands
    from tiered_cache.stats.fleet.fleet_stats import FleetStats

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
The statistics of each tier, added up over the running and the ended processes
that use the stack: of all hosts with a Redis tier, else of this host. Each
process counts its own work and publishes it every 2 seconds. Advice on the
stack follows. Exit code 4 if a tier can't be reached.
"""
_EXAMPLES = """\
  tiered-cache stats
  tiered-cache stats --since 15m
  tiered-cache stats --watch
  tiered-cache stats --json | jq '.tiers[].hit_rate'
"""


def add_parser(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "stats",
        "hits, seconds saved and fill of each tier, over all processes",
        run,
        description=_DESCRIPTION,
        examples=_EXAMPLES,
    )
    _add_period_options(parser)
    add_stack_options(parser)


def _add_period_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--since", metavar="DURATION", help="only the last 15m, 1d or another duration"
    )
    parser.add_argument(
        "--watch",
        nargs="?",
        type=_pause_s,
        const=2.0,
        metavar="SECONDS",
        help="repeat every 2 seconds, or as many as given, until Ctrl-C; with --json one\n"
        "document per line",
    )


def _pause_s(text: str) -> float:
    from argparse import ArgumentTypeError

    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 3600:
        msg = f"{text!r} is not a pause: give seconds from 0.1 to 3600"
        raise ArgumentTypeError(msg)
    return seconds


def run(arguments: argparse.Namespace) -> int:
    """Print the statistics."""
    with OpenStack(arguments) as cache:
        away = any(tier.breaker != "closed" for tier in cache.stats().tiers)
        if arguments.watch is not None:
            _watch(cache, arguments)
        elif arguments.json:
            print_json(_document(cache.fleet(arguments.since)))
        else:
            print(_text(cache.fleet(arguments.since)))
    return UNAVAILABLE if away else OK


def _watch(cache: TieredCache, arguments: argparse.Namespace) -> None:
    """Print the statistics until Ctrl-C."""
    snapshots = _snapshots(cache, arguments)
    if arguments.json:
        for fleet in snapshots:
            print(to_json(_document(fleet)), flush=True)
    elif not sys.stdout.isatty():
        for fleet in snapshots:
            print(_text(fleet), end="\n\n", flush=True)
    else:
        _redraw(snapshots)


def _redraw(snapshots: Iterator[FleetStats]) -> None:
    """Draw each snapshot in place of the one before."""
    try:
        from rich.live import Live
        from rich.text import Text
    except ImportError as error:
        from tiered_cache.errors import MissingExtraError

        msg = "--watch needs rich on a terminal: pip install 'tiered-cache[cli]'"
        raise MissingExtraError(msg) from error
    with Live(auto_refresh=False, screen=True) as live:
        for fleet in snapshots:
            live.update(Text.from_ansi(_text(fleet)), refresh=True)


def _snapshots(cache: TieredCache, arguments: argparse.Namespace) -> Iterator[FleetStats]:
    while True:
        yield cache.fleet(arguments.since)
        time.sleep(arguments.watch)


def _document(fleet: FleetStats) -> dict[str, Any]:
    """The merged statistics, with `fleet` (processes, span) and `advice` added."""
    from tiered_cache.stats.output.advice import advise

    found = fleet.to_dict()
    stats: dict[str, Any] = found.pop("stats")
    advice = [each._asdict() for each in advise(fleet.stats, fleet.span_s)]
    return {**stats, "fleet": found, "advice": advice}


def _text(fleet: FleetStats) -> str:
    from tiered_cache.cli.fleet_text import fleet_lines, fleet_table

    columns, rows = fleet_table(fleet)
    lines = [printable(line) for line in fleet_lines(fleet)]
    return "\n".join([table_text(columns, rows, numeric=True), *lines])
