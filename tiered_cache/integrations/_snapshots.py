"""The snapshots of several caches, for exporters."""

from __future__ import annotations

import logging
from itertools import chain, count
from typing import TYPE_CHECKING

from tiered_cache._process.fork import fork_safe_lock
from tiered_cache.errors import TieredCacheError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tiered_cache.cache import TieredCache
    from tiered_cache.stats.snapshot.cache_stats import CacheStats

__all__ = ["Exported", "snapshots"]

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


class Exported:
    """The caches of this process that are exported together, by name. Thread-safe.

    Two caches with one name get a number each: `default`, `default-2`.
    """

    def __init__(self) -> None:
        self._lock = fork_safe_lock()
        self.sources: dict[str, Callable[[], CacheStats]] = {}
        """As for `snapshots`. Replaced by each change, so that a reader may walk over it."""

    def add(self, cache: TieredCache) -> Callable[[], None]:
        """Export the statistics of a cache; returns a function that ends it."""
        with self._lock:
            numbered = (f"{cache.name}-{number}" for number in count(2))
            names = chain([cache.name], numbered)
            name = next(name for name in names if name not in self.sources)
            self.sources = {**self.sources, name: cache.stats}

        def remove() -> None:
            with self._lock:
                self.sources = {key: take for key, take in self.sources.items() if key != name}

        return remove
