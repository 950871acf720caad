"""Counting by namespace view and by cached function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache._process.fork import fork_safe_lock
from tiered_cache.keys import VIEW_SEPARATOR, view_of
from tiered_cache.stats.counting.tally import Tally
from tiered_cache.stats.snapshot.group_stats import OTHERS
from tiered_cache_policies.statistics.histogram import LatencyHistogram

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["MAX_FUNCTIONS", "MAX_VIEWS", "Computing", "Group", "Groups", "Lookups"]

MAX_VIEWS = 1000
MAX_FUNCTIONS = 200
_DIGEST_LENGTH = 33
"""Of a function's keys, what comes after its name: a colon and 128 bits in hexadecimal."""


class Lookups:
    """How lookups ended, inlined hits aside."""

    __slots__ = ("hits", "misses", "stale_hits")

    def __init__(self) -> None:
        self.hits = Tally()
        self.stale_hits = Tally()
        self.misses = Tally()


class Computing:
    """What computations took. For callers that hold a lock."""

    __slots__ = ("computes", "errors", "seconds", "times")

    def __init__(self) -> None:
        self.computes = 0
        self.errors = 0
        self.seconds = 0.0
        self.times = LatencyHistogram()

    def add(self, seconds: float, failed: bool) -> None:
        """Count a computation."""
        self.seconds += seconds
        self.times.record(seconds)
        if failed:
            self.errors += 1
        else:
            self.computes += 1

    def now(self) -> dict[str, Any]:
        """The fields of a snapshot."""
        return {
            "computes": self.computes,
            "compute_errors": self.errors,
            "compute_seconds": self.seconds,
            "compute_latency": self.times.copy(),
        }


class Group:
    """What a view or a function did. Thread-safe."""

    def __init__(self) -> None:
        self.lookups = Lookups()
        self.live_hits = Tally()
        """Hits that were read from a node, by whoever holds its `counter`."""
        self._lock = fork_safe_lock()
        self._computing = Computing()
        self._known = 0
        self._known_s = 0.0
        self._saved_s = 0.0
        self._live_seen = 0

    def hit(self, cost_s: float, seconds: float) -> None:
        """Count a hit that was not inlined."""
        self.lookups.hits.add()
        with self._lock:
            self._saved_s += cost_s - seconds
            self._known += 1
            self._known_s += cost_s

    def computed(self, seconds: float, failed: bool) -> None:
        """Count a computation."""
        with self._lock:
            self._computing.add(seconds, failed)
            if not failed:
                self._known += 1
                self._known_s += seconds

    def now(self, live_hit_s: float) -> dict[str, Any]:
        """The fields of a snapshot."""
        live_hits = self.live_hits.read()
        lookups = self.lookups
        counted = {
            "hits": lookups.hits.read() + live_hits,
            "stale_hits": lookups.stale_hits.read(),
            "misses": lookups.misses.read(),
        }
        with self._lock:
            if self._known:
                # Once and for all: a mean that changes later must not change what was saved.
                mean_s = self._known_s / self._known - live_hit_s
                self._saved_s += (live_hits - self._live_seen) * mean_s
                self._live_seen = live_hits
            return {**counted, "seconds_saved": self._saved_s, **self._computing.now()}


class Groups:
    """The views and functions of one cache, as many as there may be. Thread-safe."""

    def __init__(self) -> None:
        self._lock = fork_safe_lock()
        self._views: dict[str, Group] = {}
        self._functions: dict[str, Group] = {}
        self._by_prefix: dict[str, Group] = {}

    def of(self, key: str) -> Sequence[Group]:
        """Those that `key` belongs to."""
        if key[0] == VIEW_SEPARATOR:
            function = self.function_of(key)
            view = self.view(key)
            return (view,) if function is None else (view, function)
        if not self._by_prefix:
            return ()
        found = self._by_prefix.get(key[:-_DIGEST_LENGTH])
        return () if found is None else (found,)

    def view(self, key: str) -> Group:
        """The view that `key` belongs to; those beyond a thousand share one."""
        return self._get(self._views, view_of(key), MAX_VIEWS)

    def function_of(self, key: str) -> Group | None:
        """The function that `key` belongs to."""
        return self._by_prefix.get(key[:-_DIGEST_LENGTH])

    def function(self, name: str, prefix: str) -> Group:
        """The function called `name`, whose keys begin with `prefix`; many share one."""
        found = self._get(self._functions, name, MAX_FUNCTIONS)
        with self._lock:
            # One that is beyond the bound is counted with the others where it is inlined only.
            if prefix in self._by_prefix or len(self._by_prefix) < MAX_VIEWS:
                self._by_prefix[prefix] = found
        return found

    def _get(self, groups: dict[str, Group], name: str, most: int) -> Group:
        found = groups.get(name)
        if found is None:
            made = Group()  # it makes locks, which must not happen with one held
            with self._lock:
                if len(groups) >= most:
                    name = OTHERS
                found = groups.setdefault(name, made)
        return found

    def functions(self) -> list[Group]:
        """Those whose inlined hits are counted by themselves."""
        with self._lock:
            return list(self._functions.values())

    def views_now(self, live_hit_s: float) -> Iterator[dict[str, Any]]:
        """The fields of each view that was looked into, by name."""
        return self._now(self._views, live_hit_s)

    def functions_now(self, live_hit_s: float) -> Iterator[dict[str, Any]]:
        """The fields of each function that was called, by name."""
        return self._now(self._functions, live_hit_s)

    def _now(self, groups: dict[str, Group], live_hit_s: float) -> Iterator[dict[str, Any]]:
        with self._lock:
            named = sorted(groups.items())
        for name, group in named:
            found = group.now(live_hit_s)
            if found["hits"] or found["stale_hits"] or found["misses"]:
                yield {"name": name, **found}
