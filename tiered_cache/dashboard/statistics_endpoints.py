"""Endpoints of the statistics: once, as a stream, and for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from tiered_cache.dashboard.event_stream import EventStream, StreamSlots
from tiered_cache.dashboard.fleet_snapshot import WINDOW_NAMES
from tiered_cache.dashboard.responses import error_response
from tiered_cache.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from tiered_cache.dashboard.feed import Feed
    from tiered_cache.stats.snapshot.cache_stats import CacheStats

__all__ = ["StatisticsEndpoints"]

_DEFAULT_WINDOW = "15m"


class StatisticsEndpoints:
    """Serves the statistics of a feed.

    Args:
        feed: The statistics for the page.
        sources: The statistics for Prometheus, by the name of the cache.
    """

    def __init__(self, feed: Feed, sources: Mapping[str, Callable[[], CacheStats]]) -> None:
        self._feed = feed
        self._sources = sources
        self._slots = StreamSlots()

    async def now(self, request: Request) -> Response:
        """The latest statistics of a window."""
        window = _window(request)
        if window is None:
            return _unknown_window()
        try:
            return Response(await self._feed.latest(window), media_type="application/json")
        except TimeoutError as error:
            return error_response(504, str(error))

    # Starlette accepts any ASGI application here; its types name only `Response`.
    async def stream(self, request: Request) -> Any:
        """The statistics of a window as they change, as server-sent events."""
        window = _window(request)
        if window is None:
            return _unknown_window()
        return EventStream(self._feed, window, self._slots)

    async def metrics(self, request: Request) -> Any:
        """The statistics of all processes, in the format of Prometheus.

        Short-lived processes end before Prometheus can scrape them; their totals are here.
        """
        try:
            from tiered_cache.integrations.prometheus import metrics_app
        except MissingExtraError as error:
            return error_response(404, str(error))
        return metrics_app(self._sources)


def _window(request: Request) -> str | None:
    window = request.query_params.get("window", _DEFAULT_WINDOW)
    return window if window in WINDOW_NAMES else None


def _unknown_window() -> Response:
    return error_response(400, f"unknown window: expected one of {', '.join(WINDOW_NAMES)}")
