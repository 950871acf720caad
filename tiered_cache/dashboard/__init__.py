"""The dashboard: a web page that shows what a cache does, live. Needs the extra `[dashboard]`."""

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
    """The dashboard of `cache` and of all processes that share its tiers, as an ASGI application.

    Serve it by itself, or mount it anywhere in an application of your own: it knows no absolute
    address. It asks for numbers only while somebody looks, in worker threads.

    Args:
        cache: What it shows. It stays yours to close.
        title: What the page is called.
        token: What a browser must log in with, or a program send as a bearer token; at least 16
            characters. `None`, and everybody who reaches the application may see it.
        allowed_hosts: The names under which it may be reached, without a port; `localhost` and
            addresses of the loopback interface always are. With a token, so is every address.
        allow_changes: Whether entries may be deleted and tags invalidated.
        show_values: Whether the values of entries may be seen.
        live: Whether the server pushes the numbers; if not, the page asks for them, as it must
            behind WSGI.

    Raises:
        MissingExtraError: The extra `[dashboard]` is not installed.
        ConfigurationError: The token is too short, or a host is not a host's name.
    """
    from tiered_cache.dashboard.extra import need_extra

    need_extra("starlette")
    from tiered_cache.dashboard.app import Dashboard
    from tiered_cache.dashboard.rules import Rules

    rules = Rules(
        token=token,
        allowed_hosts=allowed_hosts,
        allow_changes=allow_changes,
        show_values=show_values,
        live=live,
    )
    return Dashboard(cache, rules, title)
