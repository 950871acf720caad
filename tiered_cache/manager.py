"""The simple face: named caches with get, set, exists, delete and clear."""

# pyright: reportUnnecessaryIsInstance=false
# Callers without a type checker pass other types.
from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Self

from tiered_cache._face.registered_types import checked_types
from tiered_cache._process.fork import call_in_child, fork_safe_lock
from tiered_cache.config import Settings, build_stack, load_settings
from tiered_cache.errors import (
    CacheClosedError,
    ConfigurationError,
    InvalidKeyError,
    TierUnavailableError,
)
from tiered_cache.keys import check_namespace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tiered_cache._face.registered_types import Types
    from tiered_cache.cache import TieredCache
    from tiered_cache.config.schema import StackSettings
    from tiered_cache.events import Event
    from tiered_cache.stats.snapshot.cache_stats import CacheStats, TierStats
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
"""The backends by name; several names may mean the same one."""

_DEFAULT_REDIS = "redis://localhost:6379/0"
_GLOB = "*?["
_BATCH = 500
"""Keys that a pattern deletes in one go, so that no call into a tier gets long."""


class Cache:
    """A named cache: values by key, each with a lifetime.

    `CacheManager.get_cache` makes it. `tiered` has everything else that a stack of tiers can do.
    Thread-safe.

    Args:
        name: Its name.
        tiered: The stack of tiers.
    """

    def __init__(self, name: str, tiered: TieredCache) -> None:
        self.name = name
        self.tiered = tiered

    def get(self, key: str, default: Any = None) -> Any:
        """The value of `key`, or `default` if there is none."""
        return self.tiered.get(key, default)

    def set(self, key: str, value: Any, ttl: Duration | None = None) -> bool:
        """Store `value`. Returns whether some tier holds it.

        Args:
            key: A non-empty string.
            value: Anything that can be serialized.
            ttl: Seconds, a `timedelta` or a string such as `"10m"`; `None` for no limit.
        """
        return self.tiered.set(key, value, ttl=ttl).stored

    def exists(self, key: str) -> bool:
        """Whether there is a value. Counts nothing."""
        return self.tiered.exists(key)

    def __contains__(self, key: str) -> bool:
        return self.exists(key)

    def delete(self, key: str) -> bool:
        """Remove `key`. Returns whether it was there."""
        return self.tiered.delete(key)

    def delete_pattern(
        self, pattern: str, progress: Callable[[int, int], object] | None = None
    ) -> int:
        """Remove the keys that match a glob pattern, such as `"user:*"`. Returns how many matched.

        `*` stands for any text, `?` for one character, `[abc]` for one of these, `[*]` for a literal
        star. Upper and lower case differ. Costs a walk over the keys that share the pattern's text up
        to its first special character, and one call into each tier for 500 matches.

        Args:
            pattern: The pattern.
            progress: Progress callback, called after each of these calls: keys removed so far, keys
                that match.

        Raises:
            InvalidKeyError: The pattern is not a string.
        """
        if not isinstance(pattern, str):
            msg = f"A pattern must be a string, not {type(pattern).__name__}"
            raise InvalidKeyError(msg)
        start = min((pattern.find(each) for each in _GLOB if each in pattern), default=None)
        matching = [key for key in self.tiered.keys(pattern[:start]) if fnmatchcase(key, pattern)]
        for first in range(0, len(matching), _BATCH):
            batch = matching[first : first + _BATCH]
            self.tiered.delete_many(batch)
            if progress is not None:
                progress(first + len(batch), len(matching))
        return len(matching)

    def clear(self, progress: Callable[[str, int], object] | None = None) -> None:
        """Remove everything. `progress` is that of `TieredCache.clear`."""
        self.tiered.clear(progress)

    @property
    def stats(self) -> CacheStats:
        """The same as `get_stats()`."""
        return self.get_stats()

    def get_stats(self) -> CacheStats:
        """Hits, misses, size and more, so far.

        Costs a walk over the keys where no tier can count them; Redis can't.
        """
        stats = self.tiered.stats()
        if any(tier.entries is not None for tier in stats.tiers):
            return stats
        size = len(list(self.tiered.keys()))
        return replace(stats, tiers=tuple(_sized(tier, size) for tier in stats.tiers))

    def on_event(
        self, listener: Callable[[Event], None], kinds: Iterable[str] | None = None
    ) -> Callable[[], None]:
        """Call `listener` for each event, or those of `kinds`. Returns a function that removes it."""
        return self.tiered.on_event(listener, kinds)

    def close(self) -> None:
        """Release every resource. Using the cache again raises."""
        self.tiered.close()

    def __repr__(self) -> str:
        return f"<Cache {self.name}>"


class CacheManager:
    """Makes caches by name and keeps them.

    Each cache has keys of its own. The same name means the same entries in every process that shares
    the disk directory or the server.

    Args:
        backend: The place of values: `memory` (also `in_memory`), `disk` (also `file`,
            `file_based`), `redis`, or `tiered`, the default: the tiers of the settings.
        settings: Loaded settings; by default they are read.
        types: The types that records may contain, as for `TieredCache`.
        options: Settings by name, over variables and files, such as `redis_url="redis://…"` or
            `memory={"max_entries": 100}`.

    Raises:
        ConfigurationError: The backend is unknown, the settings are wrong, or arguments contradict
            each other.

    Thread-safe, and safe to use after a fork.
    """

    def __init__(
        self,
        backend: str | None = None,
        *,
        settings: Settings | None = None,
        types: Iterable[Types] = (),
        **options: Any,
    ) -> None:
        wanted = "tiered" if backend is None else backend
        kind = BACKENDS.get(wanted) if isinstance(wanted, str) else None
        if kind is None:
            msg = f"backend={backend!r} is not a backend: use one of {', '.join(BACKENDS)}"
            raise ConfigurationError(msg)
        if settings is not None and options:
            msg = "CacheManager() takes settings, or options by name: only one of them"
            raise ConfigurationError(msg)
        if kind != "tiered" and "tiers" in options:
            msg = f"backend={backend!r} is a tier by itself: leave tiers= out, or use 'tiered'"
            raise ConfigurationError(msg)
        self.backend = kind
        self._stack = _stack_settings(kind, settings, options)
        self._types = checked_types(types)
        self._caches: dict[str, Cache] = {}
        self._makers: dict[str, threading.Lock] = {}
        self._lock = fork_safe_lock()
        self._closed = False
        call_in_child(self._forget_makers)

    def __repr__(self) -> str:
        tiers = ", ".join(self._stack.tier_names)
        with self._lock:
            count = len(self._caches)
        return f"<CacheManager {self._stack.namespace}: {tiers}; caches made: {count}>"

    def get_cache(self, name: str = "default") -> Cache:
        """The cache called `name`. The first call makes it.

        Raises:
            InvalidKeyError: The name has characters other than letters, digits, `_`, `-` and `.`.
            TierUnavailableError: Its only tier can't be reached. No other tier replaces it.
            CacheClosedError: The manager is closed.
        """
        check_namespace(name)
        cache = self._find(name)
        if cache is not None:
            return cache
        with self._maker(name):  # one thread makes it, and the others wait
            cache = self._find(name)
            if cache is not None:
                return cache
            try:
                made = self._build(name)
            except TierUnavailableError as error:
                # The message names the remedy; frames of the engine would hide it.
                raise error.with_traceback(None) from None
            return self._keep(name, made)

    def _find(self, name: str) -> Cache | None:
        with self._lock:
            if self._closed:
                raise _closed()
            return self._caches.get(name)

    def _maker(self, name: str) -> threading.Lock:
        with self._lock:
            return self._makers.setdefault(name, threading.Lock())

    def _keep(self, name: str, tiered: TieredCache) -> Cache:
        with self._lock:
            if not self._closed:
                cache = self._caches[name] = Cache(name, tiered)
                return cache
        tiered.close()
        raise _closed()

    def _forget_makers(self) -> None:
        """In a forked child: the thread that was making a cache is gone."""
        self._makers = {}

    def _build(self, name: str) -> TieredCache:
        own = self._stack.namespace
        namespace = check_namespace(own if name == "default" else f"{own}.{name}")
        stack = self._stack.model_copy(update={"namespace": namespace})
        return build_stack("default", Settings({"default": stack}, []), types=self._types)

    def has_cache(self, name: str) -> bool:
        """Whether the cache called `name` was made and not removed."""
        with self._lock:
            return name in self._caches

    def remove_cache(self, name: str) -> bool:
        """Remove a cache with all its entries. Returns whether it was there.

        Values that another thread stores under this name at the same time may be removed too.
        """
        with self._lock:
            cache = self._caches.pop(name, None)
        if cache is None:
            return False
        _call_each([cache.clear, cache.close])
        return True

    def list_caches(self) -> list[str]:
        """The names of the caches, sorted."""
        with self._lock:
            return sorted(self._caches)

    def clear_all(self) -> None:
        """Remove the entries of every cache that was made."""
        with self._lock:
            caches = list(self._caches.values())
        _call_each(cache.clear for cache in caches)

    def close(self) -> None:
        """Close every cache. May be called again."""
        with self._lock:
            self._closed = True
            caches, self._caches = list(self._caches.values()), {}
        _call_each(cache.close for cache in caches)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _closed() -> CacheClosedError:
    return CacheClosedError("the cache manager is closed: make a new one")


def _stack_settings(kind: str, settings: Settings | None, options: dict[str, Any]) -> StackSettings:
    """The settings of each cache's stack."""
    if kind == "tiered":
        return (load_settings(**options) if settings is None else settings).stack()
    if settings is None:
        # The tiers that files name are not used, so that their missing settings are not a mistake.
        without_tiers: dict[str, Any] = {**options, "tiers": ["null"]}
        settings = load_settings(**without_tiers)
    stack = settings.stack()
    chosen: dict[str, Any] = {
        "tiers": [kind],
        "max_ttl": {tier: each for tier, each in stack.max_ttl.items() if tier == kind},
        "admission": {tier: each for tier, each in stack.admission.items() if tier == kind},
    }
    if kind == "redis" and stack.redis_address is None:
        chosen["redis_url"] = _DEFAULT_REDIS
    return stack.model_copy(update=chosen)


def _call_each(calls: Iterable[Callable[[], object]]) -> None:
    """Make every call, even after one that raises; the last exception is raised."""
    with ExitStack() as stack:
        for call in reversed([*calls]):
            stack.callback(call)


def _sized(tier: TierStats, size: int) -> TierStats:
    return replace(tier, entries=size)
