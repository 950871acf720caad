"""`dashboard`: a live web page about the cache."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tiered_cache._terminal.messages import say
from tiered_cache.cli.exits import OK
from tiered_cache.cli.parsers import add_command, add_stack_options, port_number
from tiered_cache.cli.termination import orderly_termination

if TYPE_CHECKING:
    import argparse

    from tiered_cache.cache import TieredCache
    from tiered_cache.cli.parsers import Commands

__all__ = ["add_parser", "run"]

_TOKEN_VARIABLE = "TIERED_CACHE_DASHBOARD_TOKEN"  # noqa: S105 - its name

_DESCRIPTION = """\
Serve a web page until Ctrl-C. It shows the work of all processes that share the
stack's disk or server: hits by tier, hit rates and latencies over time, seconds
saved, hit rates at other sizes, breakers, entries and processes.

Anyone who can connect can look, so it listens on this machine only. To listen
elsewhere it needs a token. It changes nothing and shows no values, unless the
options below allow it.
"""
_EXAMPLES = """\
  tiered-cache dashboard --stack ci
  TIERED_CACHE_DASHBOARD_TOKEN=$(openssl rand -hex 16) \\
    tiered-cache dashboard --host 0.0.0.0 --allow-host cache.example.org
"""


def add_parser(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "dashboard",
        "a live web page about the cache",
        run,
        description=_DESCRIPTION,
        examples=_EXAMPLES,
        has_json=False,
    )
    _add_address_options(parser)
    parser.add_argument(
        "--allow-changes", action="store_true", help="allow deleting entries, invalidating tags"
    )
    parser.add_argument("--show-values", action="store_true", help="show the values of entries")
    add_stack_options(parser)


def _add_address_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: %(default)s)"
    )
    parser.add_argument(
        "--port", type=port_number, default=8765, help="0: any free port (default: %(default)s)"
    )
    parser.add_argument(
        "--token",
        help="password of the page, 16 characters or more. Better set the variable\n"
        f"{_TOKEN_VARIABLE}: other users of the machine can see options",
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a further host name of the page; may be repeated",
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve the dashboard until Ctrl-C."""
    from tiered_cache.config import load_settings
    from tiered_cache.config.stack_factory import open_stack
    from tiered_cache.dashboard import dashboard_app
    from tiered_cache.dashboard.extra import need_extra
    from tiered_cache.dashboard.server import bind, serve, url_of

    need_extra("starlette", "uvicorn")
    token = arguments.token or os.environ.get(_TOKEN_VARIABLE) or None
    settings = load_settings(config_file=arguments.config)
    chosen = settings.stack(arguments.stack)
    with orderly_termination(), open_stack(chosen) as cache:
        app = dashboard_app(
            cache,
            title=chosen.namespace,
            token=token,
            allowed_hosts=[arguments.host, *arguments.allow_host],
            allow_changes=arguments.allow_changes,
            show_values=arguments.show_values,
        )
        listening = bind(arguments.host, arguments.port, has_token=token is not None)
        url = url_of(listening, arguments.host)
        serve(app, listening, lambda: _announce(url, cache))
    return OK


def _announce(url: str, cache: TieredCache) -> None:
    print(f"The dashboard is at {url}", flush=True)
    say("Press Ctrl-C to stop it.")
    if all(tier.reach == "process" for tier in cache.stats().tiers):
        say("This stack has no shared tier, so the page can't show other processes.")
