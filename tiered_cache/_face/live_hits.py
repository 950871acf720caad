"""Inlined hits of memory tiers: the nodes they are read from, and their counters."""

from __future__ import annotations

import contextlib
import itertools
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from tiered_cache._process.fork import fork_safe_lock
from tiered_cache.stats.counting.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tiered_cache.stats.counting.groups import Groups
    from tiered_cache_policies.contracts import Node

__all__ = ["MISSING", "NO_NODES", "FunctionHits", "HitReader", "HitSource", "LiveHits"]

MISSING: Any = object()
"""No value: the lookup must go through the tiers."""

NO_NODES: Mapping[str, Node] = {}
"""The live nodes of a cache that has none."""

_TIMED_HITS = 100


class HitSource(Protocol):
    """An open cache, as far as the readers of its inlined hits know it."""

    monotonic: Callable[[], float]
    hits: LiveHits

    @property
    def live(self) -> Mapping[str, Node]:
        """The nodes for inlined hits."""
        ...


class HitReader(Protocol):
    """An object that keeps a reference to the live nodes of a cache."""

    def _rebind(self, source: HitSource | None) -> None:
        """Take the live nodes of `source`; none if there is no open cache."""
        ...


class Counted(NamedTuple):
    """Inlined hits so far.

    Attributes:
        hits: How many there were.
        seconds: Their total duration.
        hit_s: The duration of one at present.
    """

    hits: int
    seconds: float
    hit_s: float


class LiveHits:
    """Counts the inlined hits of one cache, and estimates their duration. Thread-safe.

    Args:
        live: The nodes of the first tier.
        groups: The counters of views and functions.
        monotonic: The clock.
    """

    def __init__(
        self, live: Mapping[str, Node], groups: Groups, monotonic: Callable[[], float]
    ) -> None:
        self._live = live
        self._groups = groups
        self._monotonic = monotonic
        self._tally = Tally()
        self.counter = self._tally.counter
        self._lock = fork_safe_lock()
        self._seconds = 0.0
        self._timed = 0

    def read(self, nodes: Mapping[str, Node], key: str) -> Any:
        """The value of an inlined hit on `key`, or `MISSING`. Its view counts it separately."""
        node = nodes.get(key)
        if node is None:
            return MISSING
        held = node.value
        if self._monotonic() >= held.until:
            return MISSING
        node.visits += 1
        function = self._groups.function_of(key)
        next(self.counter if function is None else function.live_hits.counter)
        return held.value

    def of_view(self, prefix: str) -> Callable[[], object]:
        """Counts an inlined hit of the view whose keys begin with `prefix`."""
        return self._groups.view(prefix).live_hits.add

    def of_function(self, name: str, prefix: str) -> Iterator[int]:
        """Counts an inlined hit of a function, instead of `counter`.

        Args:
            name: The function's name.
            prefix: The beginning of its keys, up to the colon before the digest.
        """
        return self._groups.function(name, prefix).live_hits.counter

    def now(self) -> Counted:
        """All inlined hits so far."""
        functions = self._groups.functions()
        hits = self._tally.read() + sum([each.live_hits.read() for each in functions])
        hit_s = self._time_one() if hits else 0.0
        with self._lock:
            # Each at the duration of its time: seconds that were reported must not change later.
            self._seconds += max(0, hits - self._timed) * hit_s
            self._timed = max(self._timed, hits)
            return Counted(hits, self._seconds, hit_s)

    def _time_one(self) -> float:
        """The seconds of an inlined hit, measured now: timing each would cost more than the hit."""
        live = self._live
        key = ""
        with contextlib.suppress(RuntimeError):  # changed in between: any key will do
            key = next(iter(live), "")
        started = time.perf_counter()
        for _ in range(_TIMED_HITS):
            node = live.get(key)
            if node is not None and self._monotonic() < node.value.until:
                node.visits += 0
        return (time.perf_counter() - started) / _TIMED_HITS


class FunctionHits:
    """The nodes from which a wrapped function's hits are read, and their counter: a `HitReader`.

    Args:
        name: The function's name, with which its keys begin.
        view: The prefix of its namespace view. Hits in a view are not inlined.
    """

    __slots__ = ("__weakref__", "_name", "_view", "counter", "live", "now")

    def __init__(self, name: str, view: str) -> None:
        self._name = name
        self._view = view
        self.live = NO_NODES
        self.now: Callable[[], float] = time.monotonic
        self.counter: Iterator[int] = itertools.count()

    def _rebind(self, source: HitSource | None) -> None:
        self.live = NO_NODES
        if source is not None:
            self.now = source.monotonic
            self.counter = source.hits.of_function(self._name, self._view + self._name)
            self.live = NO_NODES if self._view else source.live
