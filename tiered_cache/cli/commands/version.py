"""`version`: the versions that matter in a report of a problem."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache._terminal.json_output import print_json
from tiered_cache.cli.exits import OK
from tiered_cache.cli.parsers import add_command

if TYPE_CHECKING:
    import argparse

    from tiered_cache.cli.parsers import Commands

__all__ = ["add_parser", "run"]

_PACKAGES = ("tiered-cache", "cachetools", "diskcache", "redis", "msgspec", "xxhash")


def add_parser(commands: Commands) -> None:
    """Declare the command."""
    summary = "the versions of tiered-cache, Python and the libraries"
    add_command(commands, "version", summary, run)


def run(arguments: argparse.Namespace) -> int:
    """Print the versions."""
    import platform
    from importlib import metadata

    versions = {name: metadata.version(name) for name in _PACKAGES}
    versions["Python"] = platform.python_version()
    if arguments.json:
        print_json(versions)
    else:
        for name, version in versions.items():
            print(f"{name} {version}")
    return OK
