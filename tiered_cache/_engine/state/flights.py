"""Single flight in one process: concurrent misses of a key share one computation."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

from tiered_cache._process.fork import call_in_child, fork_safe_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["STRIPES", "Flight", "Flights", "Raised", "Returned", "leading"]

STRIPES = 256

_lock = fork_safe_lock()
"""Guards all flights of the process, since their waits for each other may cross caches."""


class Returned(NamedTuple):
    """The outcome of a flight: a value."""

    value: Any


class Raised(NamedTuple):
    """The outcome of a flight: an exception of the function."""

    error: Exception


class Flight:
    """One computation under way, with its waiters.

    Attributes:
        key: The key that is computed.
        outcome: `None` while it is under way, and for good if the leader gave up, so that the
            waiters must compute themselves.
        waits_for: The flights whose outcomes this computation waits for at present.
        callers: How many callers want the outcome: the leader and the waiters.
        deserted: Called, from any thread, when the last caller withdraws.
        is_lost: Tells whether it can't end any more, because the leader's event loop is closed;
            `None` for a leader that is a thread, which always ends its flight.
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
        """Call `call`, which must not raise, once the outcome is known; at once, if it is."""
        with _lock:
            if not self._over:
                self._waiters.append(call)
                return
        call()

    def forget(self, call: Callable[[], object]) -> None:
        """Withdraw `call`, if it has not been called yet."""
        with _lock:
            if call in self._waiters:
                self._waiters.remove(call)

    def end(self, outcome: Returned | Raised | None) -> None:
        """Wake the waiters; `None` means that the leader gave up. Only the first call counts."""
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

    Threads and tasks are told apart by their context, which a task inherits from its creator: a
    lookup by a computation's task is a lookup by the computation. A plain thread that it starts
    counts as a stranger, unless it is given the context.
    """

    def __init__(self) -> None:
        self._forget()
        call_in_child(self._forget)

    def _forget(self) -> None:
        self._under_way: dict[str, Flight] = {}
        self.ends = [0] * STRIPES
        """Ends of flights by stripe, for `ended`. Read in place by every lookup."""

    def ended(self, key: str) -> int:
        """A number that changes when a flight of `key` ends; to be read before a lookup."""
        return self.ends[hash(key) % STRIPES]

    def board(self, key: str) -> tuple[Flight | None, bool]:
        """The flight of `key`, and whether the caller leads it.

        The leader must compute, then call `Flight.end` and `retire`, even on error; or `desert`, if
        another task finishes for it. A waiter waits for the end and then calls `leave`.

        Returns:
            `None` for a flight that waits for the caller itself, over however many others: waiting
            for it would last for ever.
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
            self.retire(own)  # an interruption left it under way without a leader
            raise
        return flight, False

    def hold(self, flight: Flight) -> None:
        """Count as one more caller, until `desert`: a cancelled leader then finishes."""
        with _lock:
            flight.callers += 1

    def leave(self, flight: Flight) -> None:
        """Stop waiting for `flight`."""
        chain = leading.get()
        if chain:
            with _lock:
                for each in chain:
                    each.waits_for.remove(flight)
        self.desert(flight)

    def desert(self, flight: Flight) -> None:
        """Withdraw as a caller of `flight`."""
        with _lock:
            flight.callers -= 1
            deserted = not flight.callers
        if deserted:
            flight.deserted()

    def retire(self, flight: Flight) -> None:
        """Have the next caller that misses the key compute: the value is in the tiers."""
        with _lock:
            self.ends[hash(flight.key) % STRIPES] += 1
            if self._under_way.get(flight.key) is flight:
                del self._under_way[flight.key]
        flight.end(None)

    def detach(self, keys: Iterable[str]) -> None:
        """Give later callers of `keys`, which have changed, no computation that began before."""
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
    """For a flight whose leader computes for itself."""


def _needs(flight: Flight, flights: tuple[Flight, ...]) -> bool:
    """Whether `flight` can't end before one of `flights` does."""
    return flight in flights or any(_needs(each, flights) for each in flight.waits_for)
