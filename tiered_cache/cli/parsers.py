"""Parts that the parsers of commands share. Imports no library: `--help` must be fast."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no public name

__all__ = [
    "OWN_MEMORY",
    "add_command",
    "add_config_option",
    "add_stack_options",
    "port_number",
    "process_count",
]

OWN_MEMORY = """\
The memory tier belongs to this process and ends with it. A value outlives the
command only in the tiers below.
"""

_MAX_PORT = 65535
_MAX_PROCESSES = 64


def add_command(
    commands: Commands,
    name: str,
    summary: str,
    run: Callable[[argparse.Namespace], int],
    *,
    description: str = "",
    examples: str = "",
    has_json: bool = True,
) -> argparse.ArgumentParser:
    """Add a command, with `--json` as its only argument.

    Args:
        commands: The commands of the program.
        name: The command's name.
        summary: One line for the list of commands, in lower case and without a full stop.
        run: Runs the command and returns its exit code.
        description: The help page's text, in lines of 80 columns; by default the summary.
        examples: Command lines, each indented by two blanks.
        has_json: Whether the command takes `--json`.

    Returns:
        The command's parser, for its other arguments.
    """
    parser = commands.add_parser(
        name,
        help=summary,
        description=description or summary[0].upper() + summary[1:] + ".",
        epilog=f"examples:\n{examples}" if examples else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run, command=name)
    if has_json:
        parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser


def add_stack_options(parser: argparse.ArgumentParser) -> None:
    """Add `--stack` and `--config`, which `OpenStack` reads."""
    parser.add_argument(
        "--stack", default="default", metavar="NAME", help="name of the stack in the settings"
    )
    add_config_option(parser)


def add_config_option(parser: argparse.ArgumentParser) -> None:
    """Add `--config`."""
    parser.add_argument("--config", metavar="FILE", help="a TOML file instead of tiered-cache.toml")


def port_number(text: str) -> int:
    """A port as written on the command line.

    Raises:
        argparse.ArgumentTypeError: `text` is not a number from 0 to 65535.
    """
    if not text.isascii() or not text.isdigit() or int(text) > _MAX_PORT:
        msg = f"{text!r} is not a port: give a number from 0 to {_MAX_PORT}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def process_count(text: str) -> int:
    """A number of processes as written on the command line.

    Raises:
        argparse.ArgumentTypeError: `text` is not a number from 1 to 64.
    """
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _MAX_PROCESSES:
        msg = f"{text!r} is not a number of processes: give one from 1 to {_MAX_PROCESSES}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)
