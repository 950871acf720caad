"""The counters of a cache and of its tiers, exact under threads.

Both are in one module on purpose: each hit in a lower tier is counted in both.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tiered_cache._process.fork import fork_safe_lock
from tiered_cache.keys import VIEW_SEPARATOR, view_of
from tiered_cache.results import LookupStatus
from tiered_cache.stats.counting.computations import ComputeTimes, Repeats
from tiered_cache.stats.counting.groups import KEY_END_LENGTH, Groups, Outcomes
from tiered_cache.stats.counting.tally import Tally
from tiered_cache.stats.curves.curves import Curves
from tiered_cache.stats.curves.shards import DIGEST_MASK
from tiered_cache.stats.snapshot.cache_stats import CacheStats
from tiered_cache.stats.snapshot.group_stats import FunctionStats, NamespaceStats
from tiered_cache.stats.snapshot.tier_stats import TierStats
from tiered_cache_policies.latency_histogram import LatencyHistogram

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tiered_cache.stats.counting.groups import Group
    from tiered_cache_policies.contracts import StatisticsPolicy

__all__ = ["CacheCounters", "TierCounters"]

_MAX_RECENT = 64
"""Computations that wait to be counted in detail."""


class TierCounters:
    """The counters of one tier. Implements `contracts.Recorder`.

    Thread-safe: each count takes one uncontended lock, about 0.2 µs.

    Args:
        name: The tier's name.
        policy: Decides how much is counted.
    """

    def __init__(self, name: str, policy: StatisticsPolicy) -> None:
        self._name = name
        self._weight = policy.one_in
        self._reads = LatencyHistogram() if policy.latencies else None
        self._writes = LatencyHistogram() if policy.latencies else None
        self._lock = fork_safe_lock()
        self._counts: defaultdict[str, int] = defaultdict(int)
        self._read_seconds = 0.0
        self._timed_reads = 0
        self._read_bytes = 0
        self._write_seconds = 0.0
        self._written_bytes = 0
        self._saved_s = 0.0
        self._misses = Tally()
        self.missed: Callable[[], int] = self._misses.add

    def looked_up(
        self, outcome: LookupStatus, seconds: float, size_bytes: int, saved_s: float
    ) -> None:
        """Count one lookup."""
        weight = self._weight
        if weight != 1:
            if not self._chosen():
                return
            seconds, size_bytes, saved_s = seconds * weight, size_bytes * weight, saved_s * weight
        with self._lock:
            self._counts[outcome] += weight
            self._saved_s += saved_s
            self._read_bytes += size_bytes
            if seconds:
                self._read_seconds += seconds
                self._timed_reads += weight
                if self._reads is not None:
                    self._reads.record(seconds)

    def _chosen(self) -> bool:
        """Whether this operation is the sampled one that counts for `one_in` operations."""
        return self._weight > 0 and random.random() * self._weight < 1  # noqa: S311 - no secret

    def wrote(self, outcome: str, seconds: float, size_bytes: int) -> None:
        """Count one write."""
        weight = self._weight
        if weight != 1:
            if not self._chosen():
                return
            seconds, size_bytes = seconds * weight, size_bytes * weight
        with self._lock:
            self._counts[outcome] += weight
            self._write_seconds += seconds
            self._written_bytes += size_bytes
            if self._writes is not None and seconds:
                self._writes.record(seconds)

    def count(self, counter: str) -> None:
        """Add one to a counter."""
        if not self._weight:
            return
        with self._lock:
            self._counts[counter] += 1

    def snapshot(
        self, *, live_hits: int = 0, live_s: float = 0.0, live_saved_s: float = 0.0
    ) -> TierStats:
        """All counters at one instant, with the inlined hits added.

        Args:
            live_hits: The number of inlined hits.
            live_s: The seconds that they took together.
            live_saved_s: The sum of the costs of their values.
        """
        if not self._weight:
            return TierStats(self._name, counted=False)
        missed = self._misses.read()
        with self._lock:
            counts: dict[str, Any] = dict(self._counts)
            for status in LookupStatus:
                counts[status.counter] = counts.pop(status, 0)
            return TierStats(
                name=self._name,
                read_latency=None if self._reads is None else self._reads.copy(),
                write_latency=None if self._writes is None else self._writes.copy(),
                hits=counts.pop("hits") + live_hits,
                misses=counts.pop("misses") + missed,
                timed_reads=self._timed_reads + live_hits,
                read_seconds=self._read_seconds + live_s,
                read_bytes=self._read_bytes,
                write_seconds=self._write_seconds,
                written_bytes=self._written_bytes,
                seconds_saved=self._saved_s + live_saved_s - live_s,
                **counts,
            )


class CacheCounters:
    """The counters of a whole cache. Implements `contracts.Counting`. Thread-safe.

    Args:
        policy: Decides how much is counted.
        tiers: The number of tiers.
        monotonic: The clock.
    """

    def __init__(
        self, policy: StatisticsPolicy, tiers: int, monotonic: Callable[[], float]
    ) -> None:
        self._counted = policy.one_in > 0
        self._last = tiers - 1
        self.curves: Curves = Curves(tiers, monotonic)
        self._see = self.curves.see
        self._sampled_below = self.curves.sampled_below if self._counted else [0] * tiers
        self._repeats = Repeats()
        self._lock = fork_safe_lock()
        self._outcomes = Outcomes()
        self._count_hit = self._outcomes.hits.add
        self.groups: Groups = Groups()
        self._views = self.groups.by_view
        self._functions = self.groups.by_prefix
        self._coalesced = Tally()
        self.coalesced: Callable[[], int] = self._coalesced.add
        self._waits = Tally()
        self.waited: Callable[[], int] = self._waits.add
        self._compute_times = ComputeTimes()
        self._recent: list[tuple[float, bool, Sequence[str]]] = []
        self._serializing = LatencyHistogram() if policy.latencies else None

    def rest_s(self, key: str) -> float:
        """Seconds for which hits of a key in the first tier may stay inlined, unseen by curves."""
        if hash(key) & DIGEST_MASK >= self._sampled_below[0]:
            return math.inf
        return self.curves.rest_s()

    @property
    def times_serializing(self) -> bool:
        """Whether `serialized` is to be called."""
        return self._serializing is not None

    def hit(self, key: str, level: int, cost_s: float, seconds: float) -> None:
        """Count a lookup of `key` that found a fresh value, inlined hits excepted.

        Args:
            key: The key.
            level: The place of the tier that held the value.
            cost_s: The seconds that computing the value took.
            seconds: The seconds of the read.
        """
        self._count_hit()
        for group in self._observe(key, level):
            group.outcomes.hits.add()
            with group.lock:
                group.saved_s += cost_s - seconds
                group.known += 1
                group.known_cost_s += cost_s

    def stale_hit(self, key: str, level: int) -> None:
        """Count a lookup of `key` that found a stale value, in the tier at the place `level`."""
        self._outcomes.stale_hits.add()
        for group in self._observe(key, level):
            group.outcomes.stale_hits.add()

    def miss(self, key: str) -> None:
        """Count a lookup of `key` that found nothing."""
        self._outcomes.misses.add()
        for group in self._observe(key, self._last):
            group.outcomes.misses.add()

    def _observe(self, key: str, level: int) -> Sequence[Group]:
        """Show the curves a lookup that ended at `level`, if sampled; return the groups of `key`."""
        digest = hash(key) & DIGEST_MASK
        if digest < self._sampled_below[level]:
            self._see(digest, level)
        if self._functions or key[0] == VIEW_SEPARATOR:
            return self._groups_of(key)
        return ()

    def _groups_of(self, key: str) -> Sequence[Group]:
        """The view and the function that `key` belongs to, if any."""
        function = self._functions.get(key[:-KEY_END_LENGTH])
        if key[0] != VIEW_SEPARATOR:
            return () if function is None else (function,)
        view = self._views.get(view_of(key))
        if view is None:
            view = self.groups.view(key)
        return (view,) if function is None else (view, function)

    def computed(self, seconds: float, failed: bool, keys: Sequence[str] = ()) -> None:
        """Count one computation, of all of `keys`.

        The last computations wait in a buffer, so that a miss pays for no histogram and no sample.
        """
        with self._lock:
            self._recent.append((seconds, failed, keys))
            if len(self._recent) < _MAX_RECENT:
                return
        self._count_recent()

    def _count_recent(self) -> None:
        """Count the computations in the buffer."""
        with self._lock:
            recent, self._recent = self._recent, []
            for seconds, failed, _ in recent:
                self._compute_times.add(seconds, failed)
        for seconds, failed, keys in recent:
            share_s = seconds / max(1, len(keys))
            for key in keys:
                self._repeats.computed(key)
                for group in self._groups_of(key):
                    group.computed(share_s, failed)

    def serialized(self, seconds: float) -> None:
        """Count the seconds of encoding one value."""
        with self._lock:
            if self._serializing is not None:
                self._serializing.record(seconds)

    def snapshot(
        self, tiers: tuple[TierStats, ...], *, live_hits: int = 0, live_hit_s: float = 0.0
    ) -> CacheStats:
        """All counters at one instant, with the inlined hits added.

        Args:
            tiers: The snapshots of the tiers.
            live_hits: The number of inlined hits.
            live_hit_s: The seconds that one of them takes.
        """
        if not self._counted:
            return CacheStats(tiers=tiers, counted=False)
        self._count_recent()
        views = self.groups.view_fields(live_hit_s)
        functions = self.groups.function_fields(live_hit_s)
        fields: dict[str, Any] = {
            "hits": self._outcomes.hits.read() + live_hits,
            "stale_hits": self._outcomes.stale_hits.read(),
            "misses": self._outcomes.misses.read(),
            "coalesced": self._coalesced.read(),
            "waits": self._waits.read(),
            "recomputes": self._repeats.read(),
            "namespaces": tuple(NamespaceStats(**each) for each in views),
            "functions": tuple(FunctionStats(**each) for each in functions),
        }
        with self._lock:
            times = None if self._serializing is None else self._serializing.copy()
            fields |= self._compute_times.fields()
        return CacheStats(**fields, serialize_latency=times, tiers=tiers)
