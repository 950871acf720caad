"""`version`."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import TYPE_CHECKING

from tiered_cache.cli.exits import OK
from tiered_cache.cli.output import print_json

if TYPE_CHECKING:
    import argparse

__all__ = ["run"]

_PACKAGES = ("tiered-cache", "cachetools", "diskcache", "redis", "msgspec", "xxhash")


def run(arguments: argparse.Namespace) -> int:
    """Print the versions that matter in a report of a problem."""
    versions = {name: metadata.version(name) for name in _PACKAGES}
    versions["Python"] = platform.python_version()
    if arguments.json:
        print_json(versions)
    else:
        for name, version in versions.items():
            print(f"{name} {version}")
    return OK
