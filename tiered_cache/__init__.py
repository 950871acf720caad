"""A multi-tier read-through cache: memory, disk and Redis behind one `get_or_compute`.

Importing this package imports nothing heavy: each public name is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiered_cache._default import configure, record_trace, tiered
    from tiered_cache.aio import AsyncTieredCache
    from tiered_cache.cache import TieredCache
    from tiered_cache.computation import Computation, current
    from tiered_cache.config import Settings
    from tiered_cache.decorators import AsyncCached, Cached
    from tiered_cache.errors import (
        CacheClosedError,
        ComputationTimeoutError,
        ConfigurationError,
        InvalidDurationError,
        InvalidKeyError,
        InvalidSizeError,
        JournalError,
        QueueFullError,
        TieredCacheError,
        TierError,
        TierTimeoutError,
        TierUnavailableError,
    )
    from tiered_cache.events import Event, EventKind
    from tiered_cache.manager import Cache, CacheManager
    from tiered_cache.options import Coherence, SingleFlight
    from tiered_cache.results import (
        Explanation,
        JournalEntry,
        Lookup,
        LookupStatus,
        WriteOutcome,
        WriteResult,
    )
    from tiered_cache.stats.fleet.fleet_stats import FleetStats
    from tiered_cache.stats.snapshot.cache_stats import CacheStats, TierStats
    from tiered_cache.tiers.disk import DiskTier
    from tiered_cache.tiers.memory import MemoryTier
    from tiered_cache.tiers.null import NullTier
    from tiered_cache.tiers.redis import RedisTier

__all__ = [
    "AsyncCached",
    "AsyncTieredCache",
    "Cache",
    "CacheClosedError",
    "CacheManager",
    "CacheStats",
    "Cached",
    "Coherence",
    "Computation",
    "ComputationTimeoutError",
    "ConfigurationError",
    "DiskTier",
    "Event",
    "EventKind",
    "Explanation",
    "FleetStats",
    "InvalidDurationError",
    "InvalidKeyError",
    "InvalidSizeError",
    "JournalEntry",
    "JournalError",
    "Lookup",
    "LookupStatus",
    "MemoryTier",
    "NullTier",
    "QueueFullError",
    "RedisTier",
    "Settings",
    "SingleFlight",
    "TierError",
    "TierStats",
    "TierTimeoutError",
    "TierUnavailableError",
    "TieredCache",
    "TieredCacheError",
    "WriteOutcome",
    "WriteResult",
    "configure",
    "current",
    "record_trace",
    "tiered",
]

_HOMES = {
    "tiered_cache._default": ("configure", "record_trace", "tiered"),
    "tiered_cache.aio": ("AsyncTieredCache",),
    "tiered_cache.cache": ("TieredCache",),
    "tiered_cache.computation": ("Computation", "current"),
    "tiered_cache.config": ("Settings",),
    "tiered_cache.decorators": ("AsyncCached", "Cached"),
    "tiered_cache.errors": (
        "CacheClosedError",
        "ComputationTimeoutError",
        "ConfigurationError",
        "InvalidDurationError",
        "InvalidKeyError",
        "InvalidSizeError",
        "JournalError",
        "QueueFullError",
        "TierError",
        "TierTimeoutError",
        "TierUnavailableError",
        "TieredCacheError",
    ),
    "tiered_cache.events": ("Event", "EventKind"),
    "tiered_cache.manager": ("Cache", "CacheManager"),
    "tiered_cache.results": (
        "Explanation",
        "JournalEntry",
        "Lookup",
        "LookupStatus",
        "WriteOutcome",
        "WriteResult",
    ),
    "tiered_cache.options": ("Coherence", "SingleFlight"),
    "tiered_cache.stats.fleet.fleet_stats": ("FleetStats",),
    "tiered_cache.stats.snapshot.cache_stats": ("CacheStats", "TierStats"),
    "tiered_cache.tiers.disk": ("DiskTier",),
    "tiered_cache.tiers.memory": ("MemoryTier",),
    "tiered_cache.tiers.null": ("NullTier",),
    "tiered_cache.tiers.redis": ("RedisTier",),
}
_MISTAKEN = {
    "cached": "`from tiered_cache import tiered` and `@tiered.cached`",
    "get_or_compute": "`from tiered_cache import tiered` and `tiered.get_or_compute`",
}
"""Names that people import in vain, and what to write instead."""

_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    module = _HOME_OF.get(name)
    if module is None:
        if name in _MISTAKEN:
            # Not an AttributeError: `from tiered_cache import cached` would hide its message.
            msg = f"tiered_cache has no {name!r}: write {_MISTAKEN[name]}"
            raise ImportError(msg)
        if name == "__version__":
            from importlib.metadata import version

            return version("tiered-cache")
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from importlib import import_module

    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
