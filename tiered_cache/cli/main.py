"""Parsing the command line, and turning what goes wrong into a message and an exit code.

Only what parsing needs is imported here: `--help` must not wait for the libraries.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from tiered_cache.cli.exits import (
    CONFIGURATION,
    EXIT_CODES,
    FAILED,
    INTERRUPTED,
    UNAVAILABLE,
)
from tiered_cache.errors import (
    ConfigurationError,
    InvalidDurationError,
    InvalidKeyError,
    TieredCacheError,
    TierUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main", "make_parser"]

_DESCRIPTION = """\
A multi-tier read-through cache: memory, disk and Redis.

The commands below work on the stack that the settings describe: variables
TIERED_CACHE_*, tiered-cache.toml, [tool.tiered-cache] in pyproject.toml.
"""
_EXAMPLES = """\
examples:
  tiered-cache demo                        analyse a source tree through all tiers
  tiered-cache config show                 the settings, and where each comes from
  tiered-cache set greeting hello --ttl 1h
  tiered-cache get greeting
  tiered-cache explain greeting            what each tier says of the key
  tiered-cache keys user: --stack ci --json
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a key need not fit the locale
    arguments = make_parser().parse_args(argv)
    try:
        module = import_module(arguments.module)
        code: int = module.run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except TieredCacheError as error:
        if os.environ.get("TIERED_CACHE_DEBUG"):
            raise
        print(f"tiered-cache: {error}", file=sys.stderr)
        return _code_of(error)
    return code


def _code_of(error: TieredCacheError) -> int:
    if isinstance(error, ConfigurationError | InvalidKeyError | InvalidDurationError):
        return CONFIGURATION
    return UNAVAILABLE if isinstance(error, TierUnavailableError) else FAILED


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    codes = "\n".join(f"  {code:<4} {meaning}" for code, meaning in EXIT_CODES.items())
    parser = argparse.ArgumentParser(
        prog="tiered-cache",
        description=_DESCRIPTION,
        epilog=f"{_EXAMPLES}\nexit codes:\n{codes}\n\nTIERED_CACHE_DEBUG=1 shows tracebacks.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_demo(commands)
    _add_config(commands)
    _add_stats(commands)
    _add_values(commands)
    _add_clear(commands)
    _command(commands, "version", "the version of tiered-cache, Python and the libraries", "about")
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    summary: str,
    module: str,
    description: str = "",
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=summary,
        description=description or summary[0].upper() + summary[1:] + ".",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(module=f"tiered_cache.cli.{module}", command=name)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser


def _add_stack(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stack", default="default", help="the stack's name in the settings")
    parser.add_argument("--config", metavar="FILE", help="a TOML file instead of tiered-cache.toml")


def _add_demo(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from tiered_cache.cli.demo import add_arguments

    parser = commands.add_parser(
        "demo",
        help="analyse a real source tree through the tiers",
        description="Run four analyses of every file of a real source tree: cold, warm in the same\n"
        "process, after a restart, and on a second machine that shares a Valkey server,\n"
        "which the demo starts. Shows what each tier saved, and that all answers agree.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(module="tiered_cache.cli.demo", command="demo")
    add_arguments(parser)


def _add_config(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _command(
        commands,
        "config",
        "show or check the settings, or print their JSON Schema",
        "settings",
        "Show every setting of a stack and where it comes from (show), check all of them\n"
        "(check: prints every mistake at once, exit code 3), or print the JSON Schema of\n"
        "tiered-cache.toml for an editor (schema). Passwords and keys are never shown.",
    )
    parser.add_argument("action", choices=["show", "check", "schema"])
    _add_stack(parser)


def _add_stats(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _command(
        commands,
        "stats",
        "how full each tier is, and whether it can be reached",
        "inspecting",
        "What each tier of the stack holds now: entries, bytes, bounds, state of its breaker.\n"
        "Hits and misses are counted by each process for itself, and this process has none:\n"
        "read those in your program, by cache.stats().",
    )
    _add_stack(parser)


def _add_values(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    get = _command(commands, "get", "print a value; exit code 1 if there is none", "values")
    get.add_argument("key")
    put = _command(commands, "set", "store a value", "values")
    put.add_argument("key")
    put.add_argument("value", help="a string; see --json-value")
    put.add_argument("--ttl", help="its lifetime, such as 90, 10m or 1d; default: the stack's")
    put.add_argument("--tag", action="append", default=[], help="may be repeated")
    put.add_argument("--json-value", action="store_true", help="the value is JSON")
    delete = _command(
        commands, "delete", "remove keys from every tier; exit code 1 if none was there", "values"
    )
    delete.add_argument("key", nargs="+")
    keys = _command(commands, "keys", "list the keys that begin with a prefix", "values")
    keys.add_argument("prefix", nargs="?", default="")
    explain = _command(
        commands,
        "explain",
        "what each tier says of a key; exit code 1 if none has it",
        "inspecting",
    )
    explain.add_argument("key")
    for parser in (get, put, delete, keys, explain):
        _add_stack(parser)


def _add_clear(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _command(
        commands,
        "clear",
        "remove every key of the stack's namespace; asks first",
        "values",
        "Remove every key of the stack's namespace, from every tier. Other namespaces and other\n"
        "users of the same server are not touched. Asks first, unless --yes is given.",
    )
    parser.add_argument("--yes", action="store_true", help="don't ask")
    _add_stack(parser)
