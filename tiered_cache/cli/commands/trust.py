"""`trust`: trust the settings of a project, or no longer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tiered_cache._terminal.json_output import print_json
from tiered_cache._terminal.messages import printable, say
from tiered_cache.cli.exits import CONFIGURATION, NO, OK
from tiered_cache.cli.parsers import add_command

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from tiered_cache.cli.parsers import Commands
    from tiered_cache.config.settings_files import SettingsFile

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
A tiered-cache.toml or [tool.tiered-cache] in a repository is a stranger's
until it is trusted: it may tune the cache, and its addresses, paths, keys,
tiers and write policies are ignored.

This command trusts such a file with its present content. After a change the
file is a stranger's again. A content that was trusted once stays so, for
branches, until the file is revoked.
"""
_EXAMPLES = """\
  tiered-cache trust
  tiered-cache trust src/app/tiered-cache.toml
  tiered-cache trust --list
  tiered-cache trust --revoke
"""


def add_parser(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "trust",
        "trust the settings of a project, or no longer",
        run,
        description=_DESCRIPTION,
        examples=_EXAMPLES,
    )
    parser.add_argument(
        "path",
        nargs="?",
        type=Path,
        metavar="PATH",
        help="a file or its directory; by default, the files of the project around",
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--list", action="store_true", help="list the trusted files")
    group.add_argument("--revoke", action="store_true", help="trust no content of the file")


def run(arguments: argparse.Namespace) -> int:
    """Change or print the list of trusted files."""
    from tiered_cache.config.loading import mistakes_if_trusted
    from tiered_cache.config.trust import TrustList

    trusted = TrustList()
    if arguments.list:
        return _print(trusted.paths(), as_json=arguments.json)
    if arguments.revoke:
        revoked = [path for path in _places(arguments.path) if trusted.revoke(path)]
        for path in revoked:
            print(printable(f"no longer trusted: {path}"))
        return OK if revoked else NO
    files = _files(arguments.path)
    if not files:
        say(printable(f"tiered-cache: no settings of a project in {arguments.path or Path.cwd()}"))
        return NO
    mistakes = mistakes_if_trusted(files)
    for each in mistakes:
        say(printable(each))
    if mistakes:
        return CONFIGURATION
    for file in files:
        trusted.add(file.path, file.digest)
        print(printable(f"trusted: {file.name}"))
    return OK


def _print(paths: dict[str, list[str]], *, as_json: bool) -> int:
    if as_json:
        print_json(paths)
    else:
        for path, digests in paths.items():
            print(printable(f"{path} ({len(digests)} contents)"))
    return OK


def _places(path: Path | None) -> list[Path]:
    """The places that a path stands for; the files need not exist."""
    from tiered_cache.config.settings_files import FILE_NAMES, project_places

    if path is None:
        return [place for places in project_places() for place in places]
    if path.name in FILE_NAMES:
        # The program finds the file in a directory without links.
        return [path.absolute().parent.resolve() / path.name]
    return [path.resolve() / name for name in FILE_NAMES]


def _files(path: Path | None) -> Sequence[SettingsFile]:
    from tiered_cache.config.settings_files import project_files, read_project_file

    if path is None:
        return project_files()
    found = [read_project_file(place) for place in _places(path) if place.is_file()]
    return [file for file in found if file is not None]
