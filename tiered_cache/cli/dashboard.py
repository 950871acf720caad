"""`dashboard`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from tiered_cache.cli.exits import OK
from tiered_cache.cli.output import say

if TYPE_CHECKING:
    import argparse

    from tiered_cache.cache import TieredCache

__all__ = ["TOKEN_VARIABLE", "run", "serve_dashboard"]

TOKEN_VARIABLE = "TIERED_CACHE_DASHBOARD_TOKEN"  # noqa: S105 - its name


def run(arguments: argparse.Namespace) -> int:
    """Serve the dashboard until Ctrl-C."""
    from tiered_cache.config import build_stack, load_settings
    from tiered_cache.dashboard.extra import need_extra

    need_extra("starlette", "uvicorn")
    settings = load_settings(config_file=arguments.config)
    with build_stack(arguments.stack, settings) as cache:
        serve_dashboard(cache, arguments, settings.stack(arguments.stack).namespace)
    return OK


def serve_dashboard(cache: TieredCache, arguments: argparse.Namespace, title: str) -> None:
    """Serve the dashboard of `cache` as the command line says, until Ctrl-C."""
    from tiered_cache.dashboard import dashboard_app
    from tiered_cache.dashboard.serving import bind, serve, url_of

    token = arguments.token or os.environ.get(TOKEN_VARIABLE) or None
    app = dashboard_app(
        cache,
        title=title,
        token=token,
        allowed_hosts=[arguments.host, *arguments.allow_host],
        allow_changes=arguments.allow_changes,
        show_values=arguments.show_values,
    )
    listening = bind(arguments.host, arguments.port, has_token=token is not None)
    url = url_of(listening, arguments.host)

    def tell() -> None:
        print(f"The dashboard is at {url}", flush=True)
        say("Ctrl-C ends it." if sys.stderr.isatty() else "SIGINT ends it.")

    serve(app, listening, tell)
