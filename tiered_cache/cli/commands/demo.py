"""`demo`: analyse a real source tree through all tiers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tiered_cache._terminal.messages import say
from tiered_cache.cli.exits import INTERRUPTED, NO, OK
from tiered_cache.cli.parsers import add_command, port_number, process_count
from tiered_cache.cli.termination import orderly_termination

if TYPE_CHECKING:
    import argparse

    from tiered_cache.cli.parsers import Commands

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
Run four analyses on every file of a source tree, several times: cold; warm in
the same process; after a restart; and on a second machine, with an empty disk,
that shares a Valkey server (the demo starts it). Shows for each run which tier
answered and how much time it saved, and checks that all runs give the same
answers. Exit code 1 if they don't.
"""
_EXAMPLES = """\
  tiered-cache demo
  tiered-cache demo src/ --jobs 4
  tiered-cache demo --dashboard
"""


def add_parser(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "demo",
        "analyse a real source tree through all tiers",
        run,
        description=_DESCRIPTION,
        examples=_EXAMPLES,
    )
    parser.add_argument(
        "path",
        nargs="?",
        type=Path,
        metavar="PATH",
        help="a directory or file to analyse; default: Python's standard library",
    )
    parser.add_argument(
        "--no-redis", action="store_true", help="skip the Valkey server and the second machine"
    )
    parser.add_argument(
        "--jobs",
        type=process_count,
        default=1,
        metavar="N",
        help="processes in each run; each has its own memory tier (default: %(default)s)",
    )
    _add_dashboard_options(parser)


def _add_dashboard_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="keep the first machine's disk in DIR, for 'tiered-cache dashboard'",
    )
    parser.add_argument(
        "--dashboard", action="store_true", help="show the runs live in a web page, until Ctrl-C"
    )
    parser.add_argument(
        "--port", type=port_number, default=8765, help="the page's port (default: %(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the demo."""
    from tiered_cache.demo import run_demo

    try:
        with orderly_termination():
            identical = run_demo(
                arguments.path,
                jobs=arguments.jobs,
                redis=not arguments.no_redis,
                keep=arguments.keep,
                dashboard_port=arguments.port if arguments.dashboard else None,
                as_json=arguments.json,
            )
    except KeyboardInterrupt:
        say("Interrupted: the server is stopped, the temporary directories are removed.")
        return INTERRUPTED
    return OK if identical else NO
