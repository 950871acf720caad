"""Where an exporter takes its numbers from."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tiered_cache.errors import TieredCacheError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tiered_cache.stats.snapshot.cache_stats import CacheStats

__all__ = ["Sources", "snapshots"]

_log = logging.getLogger("tiered_cache.integrations")

Sources = "Mapping[str, Callable[[], CacheStats]]"
"""For the name of each cache what gives its statistics: `cache.stats` for those of this process,
`lambda: cache.fleet().stats` for those of all that share its tiers."""


def snapshots(sources: Mapping[str, Callable[[], CacheStats]]) -> Iterator[tuple[str, CacheStats]]:
    """The statistics of each cache; one that can't give any now is left out."""
    for name, take in sources.items():
        try:
            yield name, take()
        except TieredCacheError as error:
            _log.debug("No statistics of %r: %s", name, error)
