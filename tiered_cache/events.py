"""Events: a cache calls its listeners with one for each step of its work."""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable
from typing import NamedTuple

from tiered_cache.results import LookupStatus

__all__ = ["Event", "EventKind", "Listener", "Listeners"]

_log = logging.getLogger("tiered_cache.events")


class EventKind(enum.StrEnum):
    """The kind of an event. The outcomes of lookups have the words of `LookupStatus`."""

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
    """One step of a cache's work.

    Attributes:
        kind: The kind of step.
        tier: The name of the tier; `""` for a computation.
        key: The key as the caller wrote it. Keys of a namespace view begin with the view's prefix.
        seconds: The duration; 0.0 if it was not measured.
        bytes: The size of the record; 0 if it is unknown or no record was moved.
        detail: The fault, the new state of a breaker, or the outcome of a write; `""` otherwise.
    """

    kind: EventKind
    tier: str
    key: str
    seconds: float = 0.0
    bytes: int = 0
    detail: str = ""


Listener = Callable[[Event], None]
"""A function that a cache calls with each event."""


class _Registration(NamedTuple):
    """One listener, with the kinds of events that it gets."""

    listener: Listener
    kinds: frozenset[EventKind]


class Listeners:
    """The listeners of one cache.

    `add` and `remove` replace a tuple, so `emit` needs no lock. The thread that did the work calls
    the listeners, after it has released the locks of the cache: a listener may use the cache.
    """

    def __init__(self) -> None:
        self._registered: tuple[_Registration, ...] = ()
        self._failed: set[int] = set()
        self.active: bool = False
        """Whether there are listeners; an attribute, because every step of a lookup reads it."""
        self.wanted: frozenset[EventKind] = frozenset()
        """The kinds of events that some listener gets."""

    def add(
        self, listener: Listener, kinds: frozenset[EventKind] = frozenset(EventKind)
    ) -> Callable[[], None]:
        """Call `listener` with every event of `kinds` from now on; the function returned ends that."""
        registration = _Registration(listener, kinds)
        self._register((*self._registered, registration))

        def remove() -> None:
            self._register(tuple([each for each in self._registered if each is not registration]))
            self._failed.discard(id(listener))

        return remove

    def _register(self, registered: tuple[_Registration, ...]) -> None:
        self._registered = registered
        self.active = bool(registered)
        self.wanted = frozenset[EventKind]().union(*[each.kinds for each in registered])

    def emit(self, event: Event) -> None:
        """Call the listeners of the event's kind. An exception is logged, once for each listener."""
        for listener, kinds in self._registered:
            if event.kind not in kinds:
                continue
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
