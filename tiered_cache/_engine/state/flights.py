"""Single flight in one process: of the callers that miss a key together, one computes."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

from tiered_cache._process.fork import call_in_child, fork_safe_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Flight", "Flights", "Raised", "Returned", "leading"]

_STRIPES = 256

_lock = fork_safe_lock()
"""Guards all flights of the process, whose waits for each other may cross caches."""


class Returned(NamedTuple):
    """How a flight ended: with a value."""

    value: Any


class Raised(NamedTuple):
    """How a flight ended: with what the function raised."""

    error: Exception


class Flight:
    """One computation that is under way, and who waits for it.

    Attributes:
        key: What is computed.
        outcome: How it ended; `None` while it is under way, and for ever if its leader gave up, so
            that the waiters must see to it themselves.
        waits_for: The flights whose outcomes its computation waits for at present.
        callers: How many want the outcome: who leads, and who waits.
        deserted: Called, from any thread, when the last of them wants it no longer.
        is_lost: Says whether it can't end any more, with the event loop of its leader; `None` for a
            leader that is a thread, which sees to it that it ends.
    """

    __slots__ = (
        "_over",
        "_waiters",
        "callers",
        "deserted",
        "is_lost",
        "key",
        "outcome",
        "waits_for",
    )

    def __init__(self, key: str) -> None:
        self.key = key
        self.outcome: Returned | Raised | None = None
        self._over = False
        self.waits_for: list[Flight] = []
        self.callers = 1
        self.deserted: Callable[[], object] = _go_on
        self.is_lost: Callable[[], bool] | None = None
        self._waiters: list[Callable[[], object]] = []

    def when_over(self, call: Callable[[], object]) -> None:
        """Call `call`, which must not raise, as soon as the outcome is known: now, if it is."""
        with _lock:
            if not self._over:
                self._waiters.append(call)
                return
        call()

    def forget(self, call: Callable[[], object]) -> None:
        """Do not call `call`, if it has not been called yet."""
        with _lock:
            if call in self._waiters:
                self._waiters.remove(call)

    def end(self, outcome: Returned | Raised | None) -> None:
        """Tell the waiters; without an outcome, that the leader gave up. The first call counts."""
        with _lock:
            if self._over:
                return
            self.outcome, self._over = outcome, True
            waiters, self._waiters = self._waiters, []
        for call in waiters:
            call()


leading: ContextVar[tuple[Flight, ...]] = ContextVar("tiered_cache_leading", default=())
"""The flights that the calling thread or task computes for, in any cache, outermost first."""


class Flights:
    """The flights of one cache. Thread-safe; a forked child starts without any.

    Threads and tasks are told apart by their context, which a task inherits from the one that
    started it: what a computation's tasks ask for is asked by the computation. A thread that it
    starts by itself is a stranger, unless it is given the context.
    """

    def __init__(self) -> None:
        self._forget()
        call_in_child(self._forget)

    def _forget(self) -> None:
        self._under_way: dict[str, Flight] = {}
        self._ended = [0] * _STRIPES

    def ended(self, key: str) -> int:
        """A number that changes when a flight of `key` ends; to be read before a lookup."""
        return self._ended[hash(key) % _STRIPES]

    def board(self, key: str) -> tuple[Flight | None, bool]:
        """The flight of `key`, and whether the caller leads it.

        Who leads must compute, `end` the flight and `retire` it, whatever happens; or `desert` it, if
        somebody else does that in his name. Who does not, waits for its end and then calls `leave`. No flight is returned to a caller whom the flight
        itself waits for, over however many others: waiting would last for ever.
        """
        chain = leading.get()
        own = Flight(key)
        try:
            with _lock:
                flight = self._under_way.setdefault(key, own)
                if flight is own:
                    return own, True
                if chain:
                    if _needs(flight, chain):
                        return None, False
                    for each in chain:
                        each.waits_for.append(flight)
                flight.callers += 1
        except BaseException:
            self.retire(own)  # interrupted when it was under way: nobody leads it
            raise
        return flight, False

    def leave(self, flight: Flight) -> None:
        """Wait for `flight` no longer."""
        chain = leading.get()
        if chain:
            with _lock:
                for each in chain:
                    each.waits_for.remove(flight)
        self.desert(flight)

    def desert(self, flight: Flight) -> None:
        """Want the outcome of `flight` no longer."""
        with _lock:
            flight.callers -= 1
            deserted = not flight.callers
        if deserted:
            flight.deserted()

    def retire(self, flight: Flight) -> None:
        """Let the next caller that misses the key compute: what was computed is in the tiers."""
        with _lock:
            self._ended[hash(flight.key) % _STRIPES] += 1
            if self._under_way.get(flight.key) is flight:
                del self._under_way[flight.key]
        flight.end(None)

    def detach(self, keys: Iterable[str]) -> None:
        """Give no later caller what is computed for `keys` now: they have changed since it began."""
        if self._under_way:
            with _lock:
                for key in keys:
                    self._under_way.pop(key, None)

    def detach_all(self, prefix: str) -> None:
        """Do the same for every key that begins with `prefix`."""
        with _lock:
            for key in [key for key in self._under_way if key.startswith(prefix)]:
                del self._under_way[key]


def _go_on() -> None:
    """For a flight whose leader computes for himself."""


def _needs(flight: Flight, flights: tuple[Flight, ...]) -> bool:
    """Whether `flight` can't end before one of `flights` does."""
    return flight in flights or any(_needs(each, flights) for each in flight.waits_for)
