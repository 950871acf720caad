"""Events that wait for the locks to be released, and the listeners that then get them."""

from __future__ import annotations

from collections import deque

from tiered_cache.events import Event, Listeners

__all__ = ["PendingEvents"]

_MAX_PENDING = 100_000


class PendingEvents:
    """The events of one cache. Thread-safe. Bounded: beyond 100,000 the oldest are dropped."""

    def __init__(self) -> None:
        self.listeners = Listeners()
        self.waiting: deque[Event] = deque(maxlen=_MAX_PENDING)

    def note(self, event: Event) -> None:
        """Keep an event, if a listener gets its kind."""
        if event.kind in self.listeners.wanted:
            self.waiting.append(event)

    def emit(self) -> None:
        """Give the events to the listeners. To be called without a lock held."""
        while self.waiting:
            try:
                event = self.waiting.popleft()
            except IndexError:  # another thread took it
                return
            self.listeners.emit(event)
