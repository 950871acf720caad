"""`dashboard`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tiered_cache.cli.exits import OK
from tiered_cache.cli.output import say

if TYPE_CHECKING:
    import argparse

__all__ = ["TOKEN_VARIABLE", "run"]

TOKEN_VARIABLE = "TIERED_CACHE_DASHBOARD_TOKEN"  # noqa: S105 - its name


def run(arguments: argparse.Namespace) -> int:
    """Serve the dashboard until Ctrl-C."""
    from tiered_cache.cli.ending import ended_in_order
    from tiered_cache.config import build_stack, load_settings
    from tiered_cache.dashboard import dashboard_app
    from tiered_cache.dashboard.extra import need_extra
    from tiered_cache.dashboard.server import bind, serve, url_of

    need_extra("starlette", "uvicorn")
    token = arguments.token or os.environ.get(TOKEN_VARIABLE) or None
    settings = load_settings(config_file=arguments.config)
    with ended_in_order(), build_stack(arguments.stack, settings) as cache:
        app = dashboard_app(
            cache,
            title=settings.stack(arguments.stack).namespace,
            token=token,
            allowed_hosts=[arguments.host, *arguments.allow_host],
            allow_changes=arguments.allow_changes,
            show_values=arguments.show_values,
        )
        listening = bind(arguments.host, arguments.port, has_token=token is not None)
        url = url_of(listening, arguments.host)

        def tell() -> None:
            print(f"The dashboard is at {url}", flush=True)
            say("Ctrl-C ends it.")
            if all(tier.reach == "process" for tier in cache.stats().tiers):
                say("This stack has no tier that processes share: no other one will be seen.")

        serve(app, listening, tell)
    return OK
