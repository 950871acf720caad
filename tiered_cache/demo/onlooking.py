"""The dashboard beside the demo: it shows the runs while they happen."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from tiered_cache import DiskTier, MemoryTier, RedisTier, TieredCache
from tiered_cache.dashboard import dashboard_app
from tiered_cache.dashboard.extra import need_extra
from tiered_cache.dashboard.server import bind, served, url_of
from tiered_cache.demo.worker import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

__all__ = ["Page"]

_HOST = "127.0.0.1"


class Page:
    """A dashboard on this machine, which nobody else can reach.

    Args:
        port: Its port; 0 is any that is free.

    Raises:
        MissingExtraError: The extra `[dashboard]` is not installed.
        TieredCacheError: The port is taken.
    """

    def __init__(self, port: int) -> None:
        need_extra("starlette", "uvicorn")
        self._listening = bind(_HOST, port, has_token=False)
        self.url = url_of(self._listening, _HOST)

    @contextmanager
    def over(self, disk: Path, redis_url: str | None) -> Generator[None]:
        """Serve it, over the first machine's tiers, while the block runs."""
        tiers: list[Any] = [MemoryTier(), DiskTier(disk)]
        if redis_url is not None:
            tiers.append(RedisTier(redis_url))
        with (
            TieredCache(tiers, namespace=NAMESPACE) as cache,
            served(dashboard_app(cache, title="demo", show_values=True), self._listening),
        ):
            yield

    def stay(self) -> None:
        """Wait for Ctrl-C."""
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
