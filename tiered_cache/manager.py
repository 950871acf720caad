"""The simple face: named caches with get, set, exists, delete and clear."""

from __future__ import annotations

import threading
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Self

from tiered_cache.config import build_stack, load_settings
from tiered_cache.errors import CacheClosedError, ConfigurationError
from tiered_cache.keys import check_namespace

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from tiered_cache.cache import TieredCache
    from tiered_cache.events import Event
    from tiered_cache.stats.snapshot import CacheStats, TierStats
    from tiered_cache.units import Duration

__all__ = ["BACKENDS", "Cache", "CacheManager"]

BACKENDS = {
    "memory": "memory",
    "in_memory": "memory",
    "disk": "disk",
    "file": "disk",
    "file_based": "disk",
    "redis": "redis",
    "tiered": "tiered",
}
"""The backends by their names; several names may mean the same one."""

_DEFAULT_REDIS = "redis://localhost:6379/0"
_GLOB = "*?["


class Cache:
    """A named cache: values by key, with a lifetime each.

    Made by `CacheManager.get_cache`. Everything else that a stack of tiers can do is in `tiered`.
    Thread-safe.

    Args:
        name: Its name.
        tiered: The tiers beneath.
    """

    def __init__(self, name: str, tiered: TieredCache) -> None:
        self.name = name
        self.tiered = tiered

    def get(self, key: str, default: Any = None) -> Any:
        """The value of `key`, or `default` if there is none."""
        return self.tiered.get(key, default)

    def set(self, key: str, value: Any, ttl: Duration | None = None) -> bool:
        """Store `value`; whether some tier holds it.

        Args:
            key: A non-empty string.
            value: Anything that can be serialized.
            ttl: Seconds, a `timedelta` or a string such as `"10m"`; `None` for no limit.
        """
        return self.tiered.set(key, value, ttl=ttl).stored

    def exists(self, key: str) -> bool:
        """Whether there is a value; counts nothing."""
        return self.tiered.exists(key)

    def __contains__(self, key: str) -> bool:
        return self.exists(key)

    def delete(self, key: str) -> bool:
        """Remove `key`; whether it was there."""
        return self.tiered.delete(key)

    def delete_pattern(self, pattern: str) -> int:
        """Remove the keys that match a glob pattern, such as `"user:*"`; how many there were.

        `*` stands for any text, `?` for one character, `[abc]` for one of these. Upper and lower
        case differ. Costs a walk over the keys that begin as the pattern does.
        """
        start = min((pattern.find(each) for each in _GLOB if each in pattern), default=None)
        matching = [key for key in self.tiered.keys(pattern[:start]) if fnmatchcase(key, pattern)]
        return sum(self.tiered.delete(key) for key in matching)

    def clear(self) -> None:
        """Remove everything."""
        self.tiered.clear()

    @property
    def stats(self) -> CacheStats:
        """What `get_stats` returns."""
        return self.get_stats()

    def get_stats(self) -> CacheStats:
        """Hits, misses, size and more, up to now.

        Costs a walk over the keys where no tier can count them by itself, which Redis can't.
        """
        stats = self.tiered.stats()
        if any(tier.entries is not None for tier in stats.tiers):
            return stats
        size = len(list(self.tiered.keys()))
        return replace(stats, tiers=tuple(_sized(tier, size) for tier in stats.tiers))

    def on_event(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Call `listener` for each event; what is returned takes it off again."""
        return self.tiered.on_event(listener)

    def close(self) -> None:
        """Let go of everything; using the cache again raises."""
        self.tiered.close()

    def __repr__(self) -> str:
        return f"<Cache {self.name}>"


class CacheManager:
    """Makes caches by name and keeps them.

    Each cache has keys of its own; the same name means the same entries in every process that
    shares the disk directory or the server.

    Args:
        backend: Where values are kept: `memory` (also `in_memory`), `disk` (also `file`,
            `file_based`), `redis`, or `tiered`, the default, which is what the settings say.
        options: Settings by name, over variables and files, such as `redis_url="redis://…"` or
            `memory={"max_entries": 100}`.

    Raises:
        ConfigurationError: There is no such backend, or the settings are wrong.

    Thread-safe.
    """

    def __init__(self, backend: str | None = None, **options: Any) -> None:
        kind = BACKENDS.get(backend or "tiered")
        if kind is None:
            msg = f"backend={backend!r} is not a backend: use one of {', '.join(BACKENDS)}"
            raise ConfigurationError(msg)
        if kind != "tiered":
            options = {"tiers": [kind], **options}
        if kind == "redis" and "redis_url" not in options:
            others: dict[str, Any] = {**options, "tiers": ["null"]}
            settings = load_settings(**others).stack()
            options["redis_url"] = settings.redis_address or _DEFAULT_REDIS
        self.backend = kind
        self._options = options
        self._namespace = load_settings(**options).stack().namespace
        self._caches: dict[str, Cache] = {}
        self._lock = threading.RLock()
        self._closed = False

    def get_cache(self, name: str = "default") -> Cache:
        """The cache called `name`; made, if this is the first time.

        Raises:
            InvalidKeyError: The name has other characters than letters, digits, `_`, `-` and `.`.
            TierUnavailableError: Its only tier can't be reached: never another takes its place.
        """
        check_namespace(name)
        with self._lock:
            if self._closed:
                msg = "the cache manager is closed: make a new one"
                raise CacheClosedError(msg)
            if name not in self._caches:
                self._caches[name] = Cache(name, self._build(name))
            return self._caches[name]

    def _build(self, name: str) -> TieredCache:
        namespace = self._namespace if name == "default" else f"{self._namespace}.{name}"
        check_namespace(namespace)
        options: dict[str, Any] = {**self._options, "namespace": namespace}
        settings = load_settings(**options)
        return build_stack("default", settings)

    def has_cache(self, name: str) -> bool:
        """Whether the cache called `name` has been made and not been removed."""
        with self._lock:
            return name in self._caches

    def remove_cache(self, name: str) -> bool:
        """Remove a cache with all its entries; whether it was there."""
        with self._lock:
            cache = self._caches.pop(name, None)
        if cache is None:
            return False
        cache.clear()
        cache.close()
        return True

    def list_caches(self) -> list[str]:
        """The names of the caches, sorted."""
        with self._lock:
            return sorted(self._caches)

    def clear_all(self) -> None:
        """Remove the entries of every cache that has been made."""
        with self._lock:
            caches = list(self._caches.values())
        for cache in caches:
            cache.clear()

    def close(self) -> None:
        """Close every cache. May be called again."""
        with self._lock:
            self._closed = True
            caches, self._caches = list(self._caches.values()), {}
        for cache in caches:
            cache.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _sized(tier: TierStats, size: int) -> TierStats:
    return replace(tier, entries=size)
