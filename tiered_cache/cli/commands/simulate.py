"""`simulate`: the hits of each eviction policy on a trace, at several sizes."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

from tiered_cache._terminal.json_output import print_json
from tiered_cache._terminal.messages import say
from tiered_cache._terminal.progress import ProgressBar
from tiered_cache._terminal.tables import print_table
from tiered_cache.cli.exits import OK
from tiered_cache.cli.parsers import add_command, process_count

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from tiered_cache.cli.parsers import Commands
    from tiered_cache.cli.simulation import Curves
    from tiered_cache.traces import Replay, Trace

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
Replay a trace under eviction policies, at several sizes. Prints the hit ratios
(* is the best of a column), and the seconds saved if the trace has costs.

A trace is a file of requests in their order:
  any name   written by tiered_cache.record_trace(path) in your program
  .u64       keys as 64-bit integers, little-endian
  .u64u64    pairs of key and bytes, in the same form
  .csv       a column 'key', and optionally 'size' (bytes) and 'cost' (seconds)
  other      text with one key per line
Each may be compressed and end in .xz or .gz.
"""
_EXAMPLES = """\
  python -c "print('a\\nb\\na\\nc\\na', file=open('keys.txt', 'w'))"
  tiered-cache simulate keys.txt --sizes 1,2,3
  tiered-cache simulate keys.csv --column url --sizes 1000,5% --plot curves.svg
  tiered-cache simulate trace.u64.xz --policy lru --json | jq .policies.lru
"""


def add_parser(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "simulate",
        "the hit ratio of each eviction policy on a trace",
        run,
        description=_DESCRIPTION,
        examples=_EXAMPLES,
    )
    parser.add_argument("trace", help="the trace's file")
    _add_options(parser)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--policy",
        action="append",
        default=[],
        metavar="NAME",
        help="an eviction policy; may be repeated; default: all",
    )
    parser.add_argument(
        "--sizes",
        default="0.1%,1%,5%,10%,20%",
        help="entries or bytes, or shares of all different keys (default: 0.1%%,1%%,5%%,10%%,20%%)",
    )
    parser.add_argument(
        "--column", default="key", help="the keys' column in a CSV file (default: %(default)s)"
    )
    parser.add_argument("--plot", metavar="FILE", help="draw miss ratios into a .png or .svg file")
    parser.add_argument(
        "--jobs",
        type=process_count,
        metavar="N",
        help="processes; default: one per core, at most 4",
    )


def run(arguments: argparse.Namespace) -> int:
    """Replay the trace with a progress bar, and print or draw the results."""
    from tiered_cache.cli import simulation
    from tiered_cache.cli.miss_ratio_plot import check_plot, draw_plot

    policies = simulation.eviction_names(arguments.policy)
    if arguments.plot:
        check_plot(arguments.plot)
    file = simulation.load_trace(arguments.trace, arguments.column)
    capacities = simulation.capacities_of(arguments.sizes, file.trace)
    tasks = list(product(policies, capacities))
    with ProgressBar("replays") as bar:
        curves = simulation.replay_all(
            file, tasks, arguments.jobs, lambda done: bar.show("replaying", done, len(tasks))
        )
    if arguments.json:
        print_json(_document(file.trace, curves))
    else:
        _print(file.trace, curves, capacities)
    if arguments.plot:
        draw_plot(arguments.plot, curves, unit=_unit(file.trace))
        say(f"drawn into {arguments.plot}")
    return OK


def _unit(trace: Trace) -> str:
    return "entries" if trace.sizes is None else "bytes"


def _print(trace: Trace, curves: Curves, capacities: Sequence[int]) -> None:
    unit = _unit(trace)
    say(
        f"{len(trace.keys):,} requests, {trace.volume:,} {unit} in all; hit ratio in %, by size in {unit}"
    )
    _print_figure(curves, capacities, lambda each: f"{100 * each.hit_ratio:.2f}")
    if trace.costs is not None:
        total_s = next(iter(curves.values()))[capacities[0]].cost_s
        say(f"\nseconds saved, of {total_s:,.1f} s without a cache")
        _print_figure(curves, capacities, lambda each: f"{each.saved_s:,.1f}")


def _print_figure(
    curves: Curves, capacities: Sequence[int], figure: Callable[[Replay], str]
) -> None:
    best = {size: max(each[size].hits for each in curves.values()) for size in capacities}
    rows = [
        (
            name,
            *(
                figure(each[size]) + ("*" if each[size].hits == best[size] else "")
                for size in capacities
            ),
        )
        for name, each in curves.items()
    ]
    print_table(("policy", *(f"{size:,}" for size in capacities)), rows)


def _document(trace: Trace, curves: Curves) -> dict[str, Any]:
    return {
        "requests": len(trace.keys),
        "volume": trace.volume,
        "unit": _unit(trace),
        "policies": {
            name: [_row(capacity, each) for capacity, each in sorted(found.items())]
            for name, found in curves.items()
        },
    }


def _row(capacity: int, replayed: Replay) -> dict[str, float]:
    return {
        "capacity": capacity,
        "hit_ratio": replayed.hit_ratio,
        "byte_hit_ratio": replayed.byte_hit_ratio,
        "hits": replayed.hits,
        "seconds_saved": replayed.saved_s,
        "seconds": replayed.cost_s,
    }
