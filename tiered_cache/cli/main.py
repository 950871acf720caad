"""Runs a command, and turns an error into a message and an exit code."""

from __future__ import annotations

import argparse
import io
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from tiered_cache._terminal.messages import printable_lines, say
from tiered_cache.cli.exits import (
    CONFIGURATION,
    EXIT_CODES,
    FAILED,
    INTERRUPTED,
    OK,
    UNAVAILABLE,
)
from tiered_cache.errors import (
    ConfigurationError,
    InvalidDurationError,
    InvalidKeyError,
    InvalidSizeError,
    TieredCacheError,
    TierUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["COMMANDS", "code_of", "main", "make_parser"]

COMMANDS = (
    "demo",
    "config",
    "trust",
    "stats",
    "dashboard",
    "get",
    "set",
    "delete",
    "keys",
    "explain",
    "invalidate",
    "clear",
    "journal",
    "doctor",
    "simulate",
    "version",
)
"""The commands, in the order of the help. Each is a module of `tiered_cache.cli.commands`."""

_DESCRIPTION = """\
A multi-tier read-through cache: memory, disk and Redis.

The commands work on the stack that the settings describe: TIERED_CACHE_*
variables, tiered-cache.toml, [tool.tiered-cache] in pyproject.toml.
"""
_EXAMPLES = """\
examples:
  tiered-cache demo                        analyse a source tree through all tiers
  tiered-cache config show                 the settings and their sources
  tiered-cache dashboard                   watch the cache in a browser
  tiered-cache set greeting hello --ttl 1h
  tiered-cache get greeting
  tiered-cache explain greeting            the state of the key in each tier
  tiered-cache keys user: --stack ci --json
  tiered-cache invalidate --tag repo:x     stop serving the entries with this tag
  tiered-cache doctor                      check every stack, and get advice
"""


class _ShowVersion(argparse.Action):
    """Prints the version. Looks it up only when the option is given."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:  # noqa: A002 - argparse's name
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"tiered-cache {version('tiered-cache')}")
        parser.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Args:
        argv: The arguments after the program's name; by default those of the process.

    Raises:
        SystemExit: The command line is wrong, or asked for help.
    """
    _prepare_output()
    try:
        return _run(argv)
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has closed it
        _discard_output()
        return OK
    except Exception as error:
        if isinstance(error, OSError):
            _discard_output()
        if os.environ.get("TIERED_CACHE_DEBUG"):
            raise
        say(f"tiered-cache: {printable_lines(_message(error))}")
        return code_of(error)


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line. A parsed command line has `run`, its command."""
    codes = "\n".join(f"  {code:<4} {meaning}" for code, meaning in EXIT_CODES.items())
    parser = argparse.ArgumentParser(
        prog="tiered-cache",
        description=_DESCRIPTION,
        epilog=f"{_EXAMPLES}\nexit codes:\n{codes}\n\nTIERED_CACHE_DEBUG=1 shows tracebacks.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-V", "--version", action=_ShowVersion, help="show the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS:
        import_module(f"tiered_cache.cli.commands.{name}").add_parser(commands)
    return parser


def code_of(error: Exception) -> int:
    """The exit code of a command that raised `error`."""
    if isinstance(
        error, ConfigurationError | InvalidKeyError | InvalidDurationError | InvalidSizeError
    ):
        return CONFIGURATION
    return UNAVAILABLE if isinstance(error, TierUnavailableError) else FAILED


def _run(argv: Sequence[str] | None) -> int:
    try:
        arguments = make_parser().parse_args(argv)
        run: Callable[[argparse.Namespace], int] = arguments.run
        return run(arguments)
    finally:
        print(end="", flush=True)  # a full disk or a closed pipe can still be reported here


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, TieredCacheError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, TieredCacheError | OSError):
        return str(error)
    # The text of an unknown error may hold a cached value, so it is not shown.
    return f"{type(error).__name__}: TIERED_CACHE_DEBUG=1 shows where"


def _prepare_output() -> None:
    if sys.stdout is None:
        # The shell closed standard output (`>&-`).
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - stays open
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a key need not fit the locale


def _discard_output() -> None:
    """Send buffered output to the null device. Python would fail to write it at exit, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
