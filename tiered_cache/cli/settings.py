"""`config show`, `config check` and `config schema`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache.cli.exits import CONFIGURATION, OK
from tiered_cache.cli.output import print_json, print_table, printable, say
from tiered_cache.config import SettingsMistakesError, json_schema, load_settings
from tiered_cache.config.build import check_stack
from tiered_cache.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

    from tiered_cache.config import Settings

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Run the command that was parsed."""
    if arguments.action == "schema":
        print_json(json_schema())
        return OK
    try:
        settings = load_settings(config_file=arguments.config)
        resolved = settings.resolved(arguments.stack)
    except SettingsMistakesError as error:
        if arguments.json:
            print_json({"mistakes": [each._asdict() for each in error.mistakes]})
        else:
            for each in error.mistakes:
                say(printable(each))
        return CONFIGURATION
    if arguments.action == "check":
        return _check(settings, as_json=arguments.json)
    if arguments.json:
        print_json({each.field: {"value": each.value, "source": each.source} for each in resolved})
    else:
        print_table(("setting", "value", "source"), resolved)
    return OK


def _check(settings: Settings, *, as_json: bool) -> int:
    """Whether each stack can be built: what is wrong can lie between settings that are right."""
    refused = {}
    for name in settings.stack_names:
        try:
            check_stack(settings.stack(name))
        except ConfigurationError as error:
            refused[name] = str(error)
    if as_json:
        print_json({"mistakes": [], "stacks": settings.stack_names, "refused": refused})
    elif refused:
        for name, why in refused.items():
            say(printable(f"stack {name}: {why}"))
    else:
        print(f"no mistakes; stacks: {', '.join(settings.stack_names)}")
    return CONFIGURATION if refused else OK
