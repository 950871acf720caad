"""Log lines of hits and misses, for a logger that is at level DEBUG."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tiered_cache.errors import show_key
from tiered_cache.events import EventKind

if TYPE_CHECKING:
    from tiered_cache.events import Event

__all__ = ["is_debugged", "log_lookup"]

_log = logging.getLogger("tiered_cache")
_LOOKUPS = frozenset(
    [EventKind.HIT, EventKind.STALE_HIT, EventKind.MISS, EventKind.ERROR, EventKind.SKIP]
)


def is_debugged() -> bool:
    """Whether the logger `tiered_cache` is at level DEBUG."""
    return _log.isEnabledFor(logging.DEBUG)


def log_lookup(event: Event) -> None:
    """Log the outcome of a lookup in one tier."""
    if event.kind in _LOOKUPS:
        why = f": {event.detail}" if event.detail else ""
        _log.debug("%s in tier %r: %s%s", event.kind.value, event.tier, show_key(event.key), why)
