"""Events as structured log records, for whatever reads a program's logs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tiered_cache.errors import show_key
from tiered_cache.events import EventKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tiered_cache.cache import TieredCache
    from tiered_cache.events import Event

__all__ = ["log_events"]

_WARNINGS = frozenset({EventKind.ERROR, EventKind.MUTATION, EventKind.BREAKER})
_log = logging.getLogger("tiered_cache.events")


def log_events(
    cache: TieredCache,
    kinds: Iterable[EventKind | str] = tuple(EventKind),
    logger: logging.Logger = _log,
) -> Callable[[], None]:
    """Log each event of `cache`; what is returned ends it.

    A record has the attributes `cache_event`, `cache_tier`, `cache_key`, `cache_seconds`,
    `cache_bytes` and `cache_detail`, which a JSON formatter writes as fields of their own. Faults,
    changed values and breakers are warnings, all else is for debugging. No value is ever logged; keys
    are shortened, and escaped where they are not printable.

    While it goes on, each hit in memory costs a call into the tier, and the logging besides: name the
    `kinds` that matter.

    Args:
        cache: The cache.
        kinds: The kinds of events that are logged.
        logger: The logger; by default `tiered_cache.events`.
    """
    wanted = frozenset(EventKind(kind) for kind in kinds)

    def log(event: Event) -> None:
        if event.kind not in wanted:
            return
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

    return cache.on_event(log)
