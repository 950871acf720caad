"""The demo: real analyses of a real source tree, cold, warm, after a restart, on a second machine."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tiered_cache.cli.exits import INTERRUPTED, NO, OK

if TYPE_CHECKING:
    import argparse

__all__ = ["add_arguments", "run"]

_MAX_JOBS = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the demo's arguments. Imports no library."""
    from tiered_cache.cli.parsing import port_number

    parser.add_argument(
        "path",
        nargs="?",
        type=Path,
        metavar="PATH",
        help="the source tree, or one file, to analyse; by default the running Python's library",
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document instead of the table"
    )
    parser.add_argument(
        "--no-redis", action="store_true", help="without the third tier and the second machine"
    )
    parser.add_argument(
        "--jobs",
        type=_jobs,
        default=1,
        metavar="N",
        help="processes in each run, each with its own memory tier, sharing the lower tiers "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="keep the first machine's disk here, for 'tiered-cache dashboard' to look at",
    )
    parser.add_argument(
        "--dashboard",
        action="store_true",
        help="show it live in a web page of this machine, until Ctrl-C",
    )
    parser.add_argument(
        "--port", type=port_number, default=8765, help="of that page (default: %(default)s)"
    )


def _jobs(text: str) -> int:
    from argparse import ArgumentTypeError

    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _MAX_JOBS:
        msg = f"{text!r} is not a number of processes: give one from 1 to {_MAX_JOBS}"
        raise ArgumentTypeError(msg)
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Run the demo; the exit code is 0, 1 if some run gave other answers, 130 if interrupted.

    Raises:
        MissingExtraError: The `[demo]` extra is not installed.
        ConfigurationError: There is nothing to analyse.
        TieredCacheError: A process of the demo ended too early.
    """
    _need_extra()
    from tiered_cache.cli.ending import ended_in_order
    from tiered_cache.demo.keeping import Keep
    from tiered_cache.demo.onlooking import Page
    from tiered_cache.demo.report import Report
    from tiered_cache.demo.runs import conducted, first_difference
    from tiered_cache.demo.tree import find_sources, standard_library

    tree = standard_library() if args.path is None else find_sources(args.path)
    keep = None if args.keep is None else Keep(args.keep)
    page = Page(args.port) if args.dashboard else None
    report = Report(as_json=args.json)
    try:
        with ended_in_order(), contextlib.ExitStack() as until_the_end:
            report.introduce(tree, args.jobs, redis=not args.no_redis, page=page)
            with report.progress() as watcher:
                demo = until_the_end.enter_context(
                    conducted(
                        tree,
                        jobs=args.jobs,
                        redis=not args.no_redis,
                        watcher=watcher,
                        keep=None if keep is None else keep.disk,
                        **({} if page is None else {"onlooker": page.over}),
                    )
                )
            difference = first_difference(demo.runs)
            report.conclude(demo, difference)
            if difference is None or page is not None:
                report.lead_on(keep, page)
            if page is not None:
                page.stay()
    except KeyboardInterrupt:
        print("Interrupted: the server is stopped, the directories are removed.", file=sys.stderr)
        return INTERRUPTED
    return OK if difference is None else NO


def _need_extra() -> None:
    from importlib.util import find_spec

    from tiered_cache.errors import MissingExtraError

    missing = [name for name in ("rich", "radon", "pyflakes") if find_spec(name) is None]
    if missing:
        msg = f"the demo needs {' and '.join(missing)}: pip install 'tiered-cache[demo]'"
        raise MissingExtraError(msg)
