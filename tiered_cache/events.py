"""What happens in a cache, told to listeners, one event at a time."""

from __future__ import annotations

import enum
import logging
from typing import TYPE_CHECKING, NamedTuple

from tiered_cache.results import LookupStatus

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Event", "EventKind", "Listener", "Listeners"]

_log = logging.getLogger("tiered_cache.events")


class EventKind(enum.StrEnum):
    """The kinds of events."""

    HIT = LookupStatus.HIT.value
    STALE_HIT = LookupStatus.STALE_HIT.value
    MISS = LookupStatus.MISS.value
    SKIP = LookupStatus.SKIP.value
    PROMOTION = "promotion"
    WRITE = "write"
    DELETE = "delete"
    EVICTION = "eviction"
    COMPUTE = "compute"
    ERROR = LookupStatus.ERROR.value
    MUTATION = "mutation"
    BREAKER = "breaker"


class Event(NamedTuple):
    """One thing that happened.

    Attributes:
        kind: What happened.
        tier: The name of the tier it happened in, `""` for a computation.
        key: The key, as the caller wrote it (namespace views carry their prefix).
        seconds: How long it took; 0.0 where that is not measured.
        bytes: The size of the record, 0 where it is unknown or nothing moved.
        detail: What else there is to say: the fault, the new state of a breaker, the outcome.
    """

    kind: EventKind
    tier: str
    key: str
    seconds: float = 0.0
    bytes: int = 0
    detail: str = ""


Listener = "Callable[[Event], None]"


class Listeners:
    """The listeners of one cache.

    Adding and removing replaces a tuple, so that emitting needs no lock. Listeners are called in
    the thread that did the work, after the cache has let go of its locks: a listener may use the
    cache.
    """

    def __init__(self) -> None:
        self._listeners: tuple[Callable[[Event], None], ...] = ()
        self._failed: set[int] = set()
        self.active = False
        """Whether there are any: an attribute, because every step of a lookup asks."""

    def add(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` for every event from now on."""
        self._listeners = (*self._listeners, listener)
        self.active = True

    def remove(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` no more; unknown ones are ignored."""
        self._listeners = tuple(each for each in self._listeners if each != listener)
        self._failed.discard(id(listener))
        self.active = bool(self._listeners)

    def emit(self, event: Event) -> None:
        """Tell every listener. One that raises is logged once and changes nothing."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # law 1: a fault of a listener never reaches the caller
                if id(listener) not in self._failed:
                    self._failed.add(id(listener))
                    _log.warning(
                        "A listener raised on %r; its further exceptions are not logged: %r",
                        event.kind.value,
                        listener,
                        exc_info=True,
                    )
