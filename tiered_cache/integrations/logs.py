"""Events as structured log records."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tiered_cache.errors import ConfigurationError, show_key
from tiered_cache.events import EventKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tiered_cache.cache import TieredCache
    from tiered_cache.events import Event

__all__ = ["log_events", "start"]

_WARNINGS = frozenset({EventKind.ERROR, EventKind.MUTATION, EventKind.BREAKER})
_log = logging.getLogger("tiered_cache.events")


def log_events(
    cache: TieredCache,
    kinds: Iterable[EventKind | str] = tuple(EventKind),
    logger: logging.Logger = _log,
) -> Callable[[], None]:
    """Log each event of `cache`.

    A record has the attributes `cache_event`, `cache_tier`, `cache_key`, `cache_seconds`,
    `cache_bytes` and `cache_detail`, which a JSON formatter can write as fields. Faults, mutations
    and breaker changes have the level WARNING, all other events DEBUG. No value is logged. Keys are
    shortened and escaped.

    While hits are among the kinds, they are not inlined: each hit in memory costs a call into the
    tier and a log call.

    Args:
        cache: The cache.
        kinds: The kinds of events to log.
        logger: The logger; by default `tiered_cache.events`.

    Returns:
        A function that ends the logging.
    """
    wanted = frozenset(EventKind(kind) for kind in kinds)

    def log(event: Event) -> None:
        level = logging.WARNING if event.kind in _WARNINGS else logging.DEBUG
        if not logger.isEnabledFor(level):
            return
        key = show_key(event.key) if event.key else ""
        fields = {
            "cache_event": event.kind.value,
            "cache_tier": event.tier,
            "cache_key": key,
            "cache_seconds": event.seconds,
            "cache_bytes": event.bytes,
            "cache_detail": event.detail,
        }
        logger.log(level, "%s %s %s %s", event.kind, event.tier, key, event.detail, extra=fields)

    return cache.on_event(log, wanted)


def start(
    cache: TieredCache, *, kinds: Iterable[str] | str = tuple(sorted(_WARNINGS))
) -> Callable[[], None]:
    """Log events of a cache, as the exporter `logs`.

    Args:
        cache: The cache.
        kinds: The kinds of events, in a list or separated by commas; by default those that are warnings,
            so that hits stay inlined.

    Raises:
        ConfigurationError: There is no such kind.
    """
    names = [each.strip() for each in kinds.split(",")] if isinstance(kinds, str) else [*kinds]
    unknown = [each for each in names if each not in set(EventKind)]
    if unknown:
        msg = f"kinds={unknown[0]!r} is no kind of event: expected one of {', '.join(EventKind)}"
        raise ConfigurationError(msg)
    return log_events(cache, names)
