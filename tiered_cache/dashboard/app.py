"""The dashboard as an ASGI application: its routes, behind the guard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.routing import Route

from tiered_cache.dashboard.blocking_calls import BlockingCalls
from tiered_cache.dashboard.entry_endpoints import EntryEndpoints
from tiered_cache.dashboard.feed import Feed
from tiered_cache.dashboard.fleet_collector import FleetCollector
from tiered_cache.dashboard.guard import Guard
from tiered_cache.dashboard.page_endpoints import PageEndpoints
from tiered_cache.dashboard.statistics_endpoints import StatisticsEndpoints

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send

    from tiered_cache.cache import TieredCache
    from tiered_cache.dashboard.access_rules import AccessRules
    from tiered_cache.dashboard.fleet_snapshot import FleetSnapshot

__all__ = ["Dashboard"]


class Dashboard:
    """The page of one cache and the data that it shows, as an ASGI application.

    A `Guard` checks each request first.

    Args:
        cache: The cache to show.
        rules: The access rules.
        title: The title of the page.
        collect: Returns the statistics to show; may block. By default those of `cache` and of
            all processes that share its tiers.
    """

    def __init__(
        self,
        cache: TieredCache,
        rules: AccessRules,
        title: str,
        collect: Callable[[], FleetSnapshot] | None = None,
    ) -> None:
        collect = FleetCollector(cache).collect if collect is None else collect
        self._feed = Feed(collect, BlockingCalls())
        routes = _routes(
            PageEndpoints(rules, title),
            StatisticsEndpoints(self._feed, {title: lambda: cache.fleet().stats}),
            EntryEndpoints(cache, rules),
        )
        self._app = Guard(Starlette(routes=routes), rules)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._app(scope, receive, send)

    def end_streams(self) -> None:
        """End all event streams, so that a server can shut down. Call it in the event loop."""
        self._feed.end()


def _routes(
    page: PageEndpoints, statistics: StatisticsEndpoints, entries: EntryEndpoints
) -> list[Route]:
    return [
        Route("/", page.index),
        Route("/login", page.login, methods=["GET", "POST"]),
        Route("/static/{path:path}", page.static),
        Route("/metrics", statistics.metrics),
        Route("/api/about", page.about),
        Route("/api/now", statistics.now),
        Route("/api/stream", statistics.stream),
        Route("/api/search", entries.search, methods=["POST"]),
        Route("/api/explain", entries.explain, methods=["POST"]),
        Route("/api/delete", entries.delete, methods=["POST"]),
        Route("/api/invalidate", entries.invalidate, methods=["POST"]),
    ]
