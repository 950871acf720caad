"""The SHARDS algorithm: a miss-ratio curve from a small sample of the keys."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from typing import TYPE_CHECKING

from tiered_cache._process.fork import fork_safe_lock

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DIGEST_MASK", "MAX_SAMPLED", "Shards"]

DIGEST_MASK = (1 << 60) - 1
"""The bits of a key's hash that form its digest. A key is sampled if
`hash(key) & DIGEST_MASK < shards.threshold`."""

MAX_SAMPLED = 2048
"""Default bound on the keys that are followed."""

_KEPT = 0.9
"""The share of the keys that is still followed after the bound was passed."""

_WAITING = 256
"""Lookups in a batch: counting them together takes two thirds of the time."""

_BITS = 7
_EXACT = 1 << _BITS


class Shards:
    """Estimates the hits of an LRU cache of any size from a sample of the keys.

    It follows the keys with a digest below a threshold. The sample is of keys, not of lookups, so
    every lookup of a followed key is seen. The reuse distance of a lookup is the number of other keys
    since the last lookup of its key: the distance in the sample, divided by the sample's share. The
    lookup would hit in every cache larger than that distance. When the sample grows past its bound,
    the threshold falls.

    Source: C. Waldspurger, N. Park, A. Garthwaite, I. Ahmad, "Efficient MRC Construction with
    SHARDS", FAST 2015: the fixed-size variant with the correction SHARDS-adj, by the true number of
    lookups. Unlike the paper, a count is weighted once, when the threshold falls, and never rescaled.

    Thread-safe. At most some 300 KiB; a lookup of a sampled key takes about 0.5 µs.

    Args:
        max_sampled: Bound on the keys that are followed.
    """

    def __init__(self, max_sampled: int = MAX_SAMPLED) -> None:
        self.threshold: int = DIGEST_MASK + 1
        """Keys with a smaller digest are sampled. It only falls."""
        self._max_sampled = max_sampled
        self._lock = fork_safe_lock()
        self._last: dict[int, int] = {}
        self._waiting: deque[int] = deque()
        self._torn = False
        self._instants: list[int] = []
        """The instant of the latest lookup of each sampled key, in order."""
        self._now = 0
        self._near = [0] * (max_sampled + 1)
        """Lookups by reuse distance in the sample, since the threshold last fell."""
        self._sampled = 0
        self._distances: dict[int, float] = {}
        """Estimated lookups of all keys before that, by the bucket of their distance."""
        self._seen = 0.0

    def see(self, digest: int) -> None:
        """Count a lookup of a sampled key. Digests at or above `threshold` are ignored."""
        waiting = self._waiting
        waiting.append(digest)
        if len(waiting) >= _WAITING:
            with self._lock:
                self._count()

    def _count(self) -> None:
        """Count the waiting lookups, in their order. The caller holds the lock."""
        if self._torn:
            self._mend()
        self._torn = True
        take = self._waiting.popleft
        instants, last, near = self._instants, self._last, self._near
        threshold, now, counted = self.threshold, self._now, self._sampled - self._now
        # Only the present ones: other threads may append without end.
        for _ in range(len(self._waiting)):
            digest = take()
            if digest >= threshold:
                continue
            before = last.get(digest)
            now += 1
            last[digest] = now
            if before is None:
                instants.append(now)
                if len(last) > self._max_sampled:
                    self._sampled = counted + now
                    self._follow_fewer()
                    instants, last, near = self._instants, self._last, self._near
                    threshold, counted = self.threshold, -now
            else:
                place = bisect_left(instants, before)
                near[len(instants) - place - 1] += 1
                del instants[place]
                instants.append(now)
        self._now, self._sampled = now, counted + now
        self._torn = False

    def _mend(self) -> None:
        """Restore the invariants after an interrupted count, at the price of a few lookups."""
        self._instants = sorted(self._last.values())
        self._now = max([self._now, *self._instants[-1:]])

    def _follow_fewer(self) -> None:
        """Lower the threshold, and convert the counts so far into estimates for all keys."""
        self._distances, self._seen = self._all()
        self._near = [0] * (self._max_sampled + 1)
        self._sampled = 0
        kept = sorted(self._last)[: int(self._max_sampled * _KEPT)]
        self.threshold = kept[-1] + 1
        self._last = {digest: self._last[digest] for digest in kept}
        self._instants = sorted(self._last.values())

    def _all(self) -> tuple[dict[int, float], float]:
        """The estimated lookups of all keys, by the bucket of their distance and in total."""
        share = self.threshold / (DIGEST_MASK + 1)
        distances = dict(self._distances)
        for near, times in enumerate(self._near):
            if times:
                bucket = _bucket_of(int((near + 0.5) / share - 0.5))
                distances[bucket] = distances.get(bucket, 0.0) + times / share
        return distances, self._seen + self._sampled / share

    def hits_at(self, sizes: Iterable[float], lookups: int) -> list[float]:
        """The estimated hits of caches of these sizes.

        Args:
            sizes: The sizes in entries, smallest first.
            lookups: The true number of lookups of all keys. Its difference from the estimate counts
                as lookups with distance 0 (SHARDS-adj).
        """
        with self._lock:
            self._count()
            distances, seen = self._all()
        buckets = sorted(distances.items())
        hits = lookups - seen
        found = []
        at = 0
        for size in sizes:
            while at < len(buckets) and _middle(buckets[at][0]) < size:
                hits += buckets[at][1]
                at += 1
            found.append(min(max(hits, 0.0), float(lookups)))
        return found


def _bucket_of(distance: int) -> int:
    """The number of the bucket of a distance. Buckets have a relative width of 1/128."""
    shift = max(0, distance.bit_length() - _BITS - 1)
    return (shift << _BITS) + (distance >> shift)


def _middle(bucket: int) -> float:
    """The mean distance in a bucket."""
    shift = max(0, (bucket >> _BITS) - 1)
    return ((bucket - (shift << _BITS)) << shift) + ((1 << shift) - 1) / 2
