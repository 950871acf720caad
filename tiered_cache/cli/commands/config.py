"""`config`: show or check the settings, or print their JSON Schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache._terminal.json_output import print_json
from tiered_cache._terminal.messages import printable, say
from tiered_cache._terminal.tables import print_table
from tiered_cache.cli.exits import CONFIGURATION, OK
from tiered_cache.cli.parsers import add_command, add_stack_options

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from tiered_cache.cli.parsers import Commands
    from tiered_cache.config import Mistake, Resolved, Settings
    from tiered_cache.config.sources import UntrustedFile

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
show: every setting of a stack, and its source.
check: every mistake in the settings, and every stack that can't be built from
them; exit code 3 if there is one. No tier is opened.
schema: the JSON Schema of tiered-cache.toml, for an editor.

Passwords and keys are never shown.
"""
_EXAMPLES = """\
  tiered-cache config show --stack ci
  tiered-cache config check --config new.toml && mv new.toml tiered-cache.toml
  tiered-cache config schema > tiered-cache.schema.json
"""


def add_parser(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "config",
        "show or check the settings, or print their JSON Schema",
        run,
        description=_DESCRIPTION,
        examples=_EXAMPLES,
    )
    parser.add_argument("action", choices=["show", "check", "schema"])
    add_stack_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the settings, the mistakes or the schema."""
    from tiered_cache.config import (
        SettingsMistakesError,
        check_untrusted,
        json_schema,
        load_settings,
    )

    if arguments.action == "schema":
        print_json(json_schema())
        return OK
    try:
        settings = load_settings(config_file=arguments.config)
        resolved = settings.resolved(arguments.stack)
    except SettingsMistakesError as error:
        _print_mistakes(error.mistakes, as_json=arguments.json)
        return CONFIGURATION
    if arguments.action == "check":
        untrusted = [] if arguments.config is not None else check_untrusted()
        return _check(settings, untrusted, as_json=arguments.json)
    _print_resolved(resolved, as_json=arguments.json)
    return OK


def _print_resolved(resolved: Sequence[Resolved], *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                each.field: {
                    "value": each.value,
                    "source": each.source,
                    "trusted": each.is_trusted,
                }
                for each in resolved
            }
        )
    else:
        print_table(("setting", "value", "source"), [each[:3] for each in resolved])


def _print_mistakes(mistakes: Sequence[Mistake], *, as_json: bool) -> None:
    if as_json:
        print_json({"mistakes": [each._asdict() for each in mistakes]})
    else:
        for each in mistakes:
            say(printable(each))


def _check(
    settings: Settings,
    untrusted: Sequence[tuple[UntrustedFile, Sequence[Mistake]]],
    *,
    as_json: bool,
) -> int:
    """Print the stacks that can't be built, and the ignored parts of untrusted files."""
    from tiered_cache.config.stack_factory import check_stack
    from tiered_cache.errors import ConfigurationError

    refused = {}
    for name in settings.stack_names:
        try:
            check_stack(settings.stack(name))
        except ConfigurationError as error:
            refused[name] = str(error)
    wrong = [file for file, mistakes in untrusted if mistakes]
    if as_json:
        strangers = [
            {
                "file": str(file.file.path),
                "mistakes": [each._asdict() for each in mistakes],
                "ignored": list(file.ignored),
            }
            for file, mistakes in untrusted
        ]
        stacks = settings.stack_names
        print_json({"mistakes": [], "stacks": stacks, "refused": refused, "untrusted": strangers})
    else:
        for name, why in refused.items():
            say(printable(f"stack {name}: {why}"))
        for file, mistakes in untrusted:
            _explain(file, mistakes)
        if not refused and not wrong:
            print(f"no mistakes; stacks: {', '.join(settings.stack_names)}")
    return CONFIGURATION if refused or wrong else OK


def _explain(file: UntrustedFile, mistakes: Sequence[Mistake]) -> None:
    """Print the mistakes of an untrusted file, and the settings of it that are ignored."""
    for each in mistakes:
        say(printable(f"ignored: {each}"))
    if file.ignored:
        say(printable(f"ignored, because it is not trusted: {file.names_ignored}"))
    if mistakes or file.ignored:
        say(printable(f"to trust the file: {file.command}"))
