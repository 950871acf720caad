"""`stats`: what all processes did, once or again and again."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

from tiered_cache.cli.exits import OK, UNAVAILABLE
from tiered_cache.cli.output import print_json, printable, to_json
from tiered_cache.cli.stack import OpenStack
from tiered_cache.cli.tables import fleet_lines, fleet_table
from tiered_cache.errors import MissingExtraError
from tiered_cache.stats.output.advice import advise

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from tiered_cache.cache import TieredCache
    from tiered_cache.stats.fleet.fleet_stats import FleetStats

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Run the command that was parsed."""
    with OpenStack(arguments) as cache:
        away = any(tier.breaker != "closed" for tier in cache.stats().tiers)
        if arguments.watch is None:
            fleet = cache.fleet(arguments.since)
            if arguments.json:
                print_json(_document(fleet))
            else:
                print(_text(fleet))
        else:
            _watch(cache, arguments)
    return UNAVAILABLE if away else OK


def _document(fleet: FleetStats) -> dict[str, Any]:
    """The merged statistics, and what is to be said of the fleet and them."""
    found = fleet.to_dict()
    stats: dict[str, Any] = found.pop("stats")
    said = [each._asdict() for each in advise(fleet.stats, fleet.span_s)]
    return {**stats, "fleet": found, "advice": said}


def _snapshots(cache: TieredCache, arguments: argparse.Namespace) -> Iterator[FleetStats]:
    while True:
        yield cache.fleet(arguments.since)
        time.sleep(arguments.watch)


def _watch(cache: TieredCache, arguments: argparse.Namespace) -> None:
    """Show what there is now until somebody presses Ctrl-C."""
    if arguments.json:
        for fleet in _snapshots(cache, arguments):
            print(to_json(_document(fleet)), flush=True)
    elif not sys.stdout.isatty():
        for fleet in _snapshots(cache, arguments):
            print(_text(fleet), end="\n\n", flush=True)
    else:
        try:
            from rich.live import Live
            from rich.text import Text
        except ImportError as error:
            msg = "--watch needs rich on a terminal: pip install 'tiered-cache[cli]'"
            raise MissingExtraError(msg) from error
        with Live(auto_refresh=False, screen=True) as live:
            for fleet in _snapshots(cache, arguments):
                live.update(Text.from_ansi(_text(fleet)), refresh=True)


def _text(fleet: FleetStats) -> str:
    """A table that fits 80 columns: by `rich` on a terminal, plain elsewhere."""
    columns, rows = fleet_table(fleet)
    cells = [[printable(cell) for cell in row] for row in rows]
    table = None
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        table = _by_rich(columns, cells)
    if table is None:
        table = _plain(columns, cells)
    return "\n".join([table, *[printable(line) for line in fleet_lines(fleet)]])


def _plain(columns: tuple[str, ...], rows: list[list[str]]) -> str:
    lines = [list(columns), *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _by_rich(columns: tuple[str, ...], rows: list[list[str]]) -> str | None:
    try:
        from rich import box
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table
    except ImportError:
        return None
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left", no_wrap=True)
    for row in rows:
        table.add_row(*[escape(cell) for cell in row])
    console = Console(width=min(80, Console().width))
    with console.capture() as capture:
        console.print(table)
    return capture.get().rstrip("\n")
