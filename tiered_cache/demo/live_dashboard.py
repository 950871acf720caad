"""The dashboard beside the demo, which shows the runs live."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tiered_cache.dashboard import dashboard_app
from tiered_cache.dashboard.extra import need_extra
from tiered_cache.dashboard.server import bind, served, url_of
from tiered_cache.demo.machine import open_machine

if TYPE_CHECKING:
    from collections.abc import Generator

    from tiered_cache.demo.runs import FirstMachine

__all__ = ["LiveDashboard"]

_HOST = "127.0.0.1"


class LiveDashboard:
    """A dashboard that only this machine can reach.

    Args:
        port: Its port; 0 for any free one.

    Raises:
        MissingExtraError: The extra `[dashboard]` is not installed.
        TieredCacheError: The port is taken.
    """

    def __init__(self, port: int) -> None:
        need_extra("starlette", "uvicorn")
        self._listening = bind(_HOST, port, has_token=False)
        self.url: str = url_of(self._listening, _HOST)

    @contextmanager
    def served(self, machine: FirstMachine) -> Generator[None]:
        """Serve the page over the first machine's tiers while the block runs."""
        with (
            open_machine(machine.disk, machine.redis_url) as cache,
            served(dashboard_app(cache, title="demo", show_values=True), self._listening),
        ):
            yield

    def wait_for_interrupt(self) -> None:
        """Wait for Ctrl-C."""
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
