"""The counters of namespace views and of cached functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache._process.fork import fork_safe_lock
from tiered_cache.keys import DIGEST_LENGTH, view_of
from tiered_cache.stats.counting.computations import ComputeTimes
from tiered_cache.stats.counting.tally import Tally
from tiered_cache.stats.snapshot.group_stats import OTHERS

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

__all__ = ["KEY_END_LENGTH", "MAX_FUNCTIONS", "MAX_VIEWS", "Group", "Groups", "Outcomes"]

MAX_VIEWS = 1000
MAX_FUNCTIONS = 200

KEY_END_LENGTH = 1 + DIGEST_LENGTH
"""Length of the end of a function's key, after its name: a colon and a digest."""


class Outcomes:
    """Tallies of the outcomes of lookups, inlined hits excepted."""

    __slots__ = ("hits", "misses", "stale_hits")

    def __init__(self) -> None:
        self.hits: Tally = Tally()
        self.stale_hits: Tally = Tally()
        self.misses: Tally = Tally()


class Group:
    """The counters of one view or one function.

    `CacheCounters` adds to the fields itself, so that a hit enters one module. A reader or writer of
    the fields below `lock` must hold it.
    """

    def __init__(self) -> None:
        self.outcomes: Outcomes = Outcomes()
        self.live_hits: Tally = Tally()
        """Inlined hits; their callers hold its `counter`."""
        self.lock: threading.Lock = fork_safe_lock()
        self.compute_times: ComputeTimes = ComputeTimes()
        self.known: int = 0
        """Values of known cost, hit or computed."""
        self.known_cost_s: float = 0.0
        self.saved_s: float = 0.0
        self._live_seen = 0

    def computed(self, seconds: float, failed: bool) -> None:
        """Count one computation."""
        with self.lock:
            self.compute_times.add(seconds, failed)
            if not failed:
                self.known += 1
                self.known_cost_s += seconds

    def fields(self, live_hit_s: float) -> dict[str, Any]:
        """The fields of a snapshot.

        Args:
            live_hit_s: The seconds that one inlined hit takes.
        """
        live_hits = self.live_hits.read()
        outcomes = self.outcomes
        counted = {
            "hits": outcomes.hits.read() + live_hits,
            "stale_hits": outcomes.stale_hits.read(),
            "misses": outcomes.misses.read(),
        }
        with self.lock:
            if self.known:
                # Added at the mean of this moment and kept: a later mean must not change the past.
                mean_s = self.known_cost_s / self.known - live_hit_s
                self.saved_s += (live_hits - self._live_seen) * mean_s
                self._live_seen = live_hits
            return {**counted, "seconds_saved": self.saved_s, **self.compute_times.fields()}


class Groups:
    """The views and functions of one cache, bounded in number. Thread-safe.

    Attributes:
        by_view: Each view with lookups, by name.
        by_prefix: The functions, by the beginning of their keys.
    """

    def __init__(self) -> None:
        self._lock = fork_safe_lock()
        self.by_view: dict[str, Group] = {}
        self._by_function: dict[str, Group] = {}
        self.by_prefix: dict[str, Group] = {}

    def view(self, key: str) -> Group:
        """The view that `key` belongs to. Views beyond `MAX_VIEWS` share one group."""
        return self._get(self.by_view, view_of(key), MAX_VIEWS)

    def function_of(self, key: str) -> Group | None:
        """The function that `key` belongs to."""
        return self.by_prefix.get(key[:-KEY_END_LENGTH])

    def function(self, name: str, prefix: str) -> Group:
        """The function called `name`, with keys that begin with `prefix`.

        Functions beyond `MAX_FUNCTIONS` share one group.
        """
        found = self._get(self._by_function, name, MAX_FUNCTIONS)
        with self._lock:
            # Past this bound only the inlined hits of a function count, in the shared group.
            if prefix in self.by_prefix or len(self.by_prefix) < MAX_VIEWS:
                self.by_prefix[prefix] = found
        return found

    def _get(self, groups: dict[str, Group], name: str, most: int) -> Group:
        found = groups.get(name)
        if found is None:
            made = Group()  # outside the lock: it makes locks, and a lock here must be a leaf
            with self._lock:
                if len(groups) >= most:
                    name = OTHERS
                found = groups.setdefault(name, made)
        return found

    def functions(self) -> list[Group]:
        """The groups of all functions."""
        with self._lock:
            return list(self._by_function.values())

    def view_fields(self, live_hit_s: float) -> Iterator[dict[str, Any]]:
        """The snapshot fields of each view with lookups, sorted by name."""
        return self._fields(self.by_view, live_hit_s)

    def function_fields(self, live_hit_s: float) -> Iterator[dict[str, Any]]:
        """The snapshot fields of each function with lookups, sorted by name."""
        return self._fields(self._by_function, live_hit_s)

    def _fields(self, groups: dict[str, Group], live_hit_s: float) -> Iterator[dict[str, Any]]:
        with self._lock:
            named = sorted(groups.items())
        for name, group in named:
            found = group.fields(live_hit_s)
            if found["hits"] or found["stale_hits"] or found["misses"]:
                yield {"name": name, **found}
