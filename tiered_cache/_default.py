"""The default cache, `tiered`: built from the settings when it is first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache.cache import TieredCache

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from tiered_cache._face.registered_types import Types
    from tiered_cache.config import Settings
    from tiered_cache.traces.recorder import Observable, TraceRecorder

__all__ = ["configure", "record_trace", "tiered"]


def _from_settings() -> TieredCache:
    from tiered_cache.config import build_stack

    return build_stack("default")


tiered: TieredCache = TieredCache.deferred(_from_settings)
"""The default cache. It opens nothing until it is used."""


def configure(
    cache: TieredCache | None = None,
    *,
    settings: Settings | None = None,
    types: Iterable[Types] = (),
    **options: Any,
) -> TieredCache:
    """Replace the default cache, for every holder of `tiered`.

    Args:
        cache: The cache to use instead.
        settings: Settings to build it from.
        types: The types that its records may contain, as for `TieredCache`; not beside `cache`.
        options: Settings by name, over variables and files, such as `redis_url="redis://…"`.

    Returns:
        `tiered`. The previous default cache is closed.

    Raises:
        ConfigurationError: The settings are wrong, or several of the arguments were given.
    """
    from tiered_cache._face.registered_types import checked_types
    from tiered_cache.config import build_stack, load_settings
    from tiered_cache.errors import ConfigurationError

    if sum([cache is not None, settings is not None, bool(options)]) > 1:
        msg = "configure() takes a cache, or settings, or options by name: only one of them"
        raise ConfigurationError(msg)
    wanted = checked_types(types)
    if cache is not None and wanted:
        msg = "configure() takes a cache, or types: give types= to the cache itself"
        raise ConfigurationError(msg)
    if cache is not None:
        tiered.rebuild(lambda: cache)
        return tiered
    chosen = settings if settings is not None else load_settings(**options)
    tiered.rebuild(lambda: build_stack("default", chosen, types=wanted))
    return tiered


def record_trace(path: str | os.PathLike[str], cache: Observable | None = None) -> TraceRecorder:
    """Record the lookups of a cache into a file, until `close()` or the end of a `with`.

    `tiered-cache simulate` reads the file. It has 64-bit digests of keys, and no key or value. An
    existing file is replaced. If the process dies, at most the last 64 KiB are missing, and the file
    is readable all the same.

    During the recording a hit in memory costs about 10 µs more: a listener and a buffered write.

    Args:
        path: The file.
        cache: The cache to record; the default cache, `tiered`, by default.

    Raises:
        OSError: The file can't be written.
    """
    from tiered_cache.traces.recorder import TraceRecorder  # few programs record

    return TraceRecorder(path, tiered if cache is None else cache)
