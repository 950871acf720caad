"""Waiting for background work of a cache, for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache.testing.wait import wait_until

if TYPE_CHECKING:
    from tiered_cache import TieredCache
    from tiered_cache._engine.workers.refresher import Refresher

__all__ = ["wait_until_idle", "wait_until_refreshed"]


def wait_until_idle(refresher: Refresher) -> None:
    """Wait until no value is being recomputed."""
    wait_until(lambda: not refresher._keys, "nothing is being recomputed", 30)


def wait_until_refreshed(cache: TieredCache) -> None:
    """Wait until no value of a cache is being recomputed."""
    wait_until_idle(cache._source.core().refresher)
