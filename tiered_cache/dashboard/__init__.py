"""The dashboard: a live web page about a cache, as an ASGI application.

Needs the extra `[dashboard]`. The command line and the demo may import it. It imports the cache
and its statistics, and never the engine, a tier or the codec.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache.cache import TieredCache
    from tiered_cache.dashboard.app import Dashboard

__all__ = ["dashboard_app"]


def dashboard_app(
    cache: TieredCache,
    *,
    title: str = "tiered-cache",
    token: str | None = None,
    allowed_hosts: Sequence[str] = (),
    allow_changes: bool = False,
    show_values: bool = False,
    live: bool = True,
) -> Dashboard:
    """The dashboard of `cache`, and of all processes that share its tiers, as an ASGI application.

    Serve it alone, or mount it under any path of another application. It reads statistics only
    while a page is open, in worker threads.

    Args:
        cache: The cache to show. The caller closes it.
        title: The title of the page.
        token: The secret for logging in, or for a bearer header; at least 16 characters. With
            `None`, any client that reaches the application sees the page.
        allowed_hosts: Host names in the page's URL, without ports. `localhost` and loopback
            addresses are always allowed; with a token, all addresses are.
        allow_changes: Whether the page may delete entries and invalidate tags.
        show_values: Whether the page shows the values of entries.
        live: Whether the server pushes statistics. Behind WSGI pass `False`: the page then polls.

    Raises:
        MissingExtraError: The extra `[dashboard]` is not installed.
        ConfigurationError: The token is too short, or a host name is invalid.
    """
    from tiered_cache.dashboard.extra import need_extra

    need_extra("starlette")
    from tiered_cache.dashboard.access_rules import AccessRules
    from tiered_cache.dashboard.app import Dashboard

    rules = AccessRules(
        token=token,
        allowed_hosts=allowed_hosts,
        allow_changes=allow_changes,
        show_values=show_values,
        live=live,
    )
    return Dashboard(cache, rules, title)
