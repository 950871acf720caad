"""The snapshots of several caches, for exporters."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tiered_cache.errors import TieredCacheError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tiered_cache.stats.snapshot.cache_stats import CacheStats

__all__ = ["snapshots"]

_log = logging.getLogger("tiered_cache.integrations")


def snapshots(sources: Mapping[str, Callable[[], CacheStats]]) -> Iterator[tuple[str, CacheStats]]:
    """The name and the snapshot of each cache; a cache that raises is left out, with a log line.

    Args:
        sources: A function that returns the snapshot, by the name of the cache.
    """
    for name, take in sources.items():
        try:
            yield name, take()
        except TieredCacheError as error:
            _log.debug("No statistics of %r: %s", name, error)
