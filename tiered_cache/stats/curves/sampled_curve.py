"""Miss-ratio curves from a small sample of the keys."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from typing import TYPE_CHECKING

from tiered_cache._process.fork import fork_safe_lock

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DIGEST_MASK", "MAX_SAMPLED", "Shards"]

DIGEST_MASK = (1 << 60) - 1
"""What of a key's hash is looked at: `hash(key) & DIGEST_MASK < shards.threshold`, and it is sampled."""

MAX_SAMPLED = 2048
"""How many keys are followed at most."""

_KEPT = 0.9
"""The part of them that is followed on when there is one too many."""

_WAITING = 256
"""How many lookups wait to be counted at most: many at once take two thirds of the time."""

_BITS = 7
_EXACT = 1 << _BITS


class Shards:
    """How many hits a cache of any size would have had that evicts what was used least recently.

    Of all keys it follows those whose digest is below a threshold: a sample of keys, not of lookups,
    so that of each it sees all. The distance between two lookups of a key, in other keys that were
    looked up in between, is that in the sample divided by the sample's share; the key would have been
    a hit in any cache that is larger. When the sample grows past its bound, the threshold is lowered.

    Source: C. Waldspurger, N. Park, A. Garthwaite, I. Ahmad, "Efficient MRC Construction with
    SHARDS", FAST 2015: the fixed-size variant, with its correction (SHARDS-adj) by the number of
    lookups that there were. Counts are weighted when they are made, instead of all of them anew
    whenever the threshold is lowered.

    Thread-safe. Some 300 KiB at most; a lookup of a sampled key takes about 0.5 µs.

    Args:
        max_sampled: How many keys it follows at most.
    """

    def __init__(self, max_sampled: int = MAX_SAMPLED) -> None:
        self.threshold = DIGEST_MASK + 1
        """Keys are sampled whose digest is below it; it only falls."""
        self._max_sampled = max_sampled
        self._lock = fork_safe_lock()
        self._last: dict[int, int] = {}
        self._waiting: deque[int] = deque()
        self._torn = False
        self._instants: list[int] = []
        """Those of the latest lookups of all sampled keys, in order."""
        self._now = 0
        self._near = [0] * (max_sampled + 1)
        """How often keys were looked up again, by how many others of the sample were in between: since
        the threshold is what it is."""
        self._sampled = 0
        self._distances: dict[int, float] = {}
        """How many lookups, sampled or not, there were before that, by the bucket of their distance."""
        self._seen = 0.0

    def see(self, digest: int) -> None:
        """Count a lookup of a key, if it is sampled. Who asks that before saves the call."""
        waiting = self._waiting
        waiting.append(digest)
        if len(waiting) >= _WAITING:
            with self._lock:
                self._count()

    def _count(self) -> None:
        """Count those that wait, in the order in which they came."""
        if self._torn:
            self._mend()
        self._torn = True
        take = self._waiting.popleft
        instants, last, near = self._instants, self._last, self._near
        threshold, now, counted = self.threshold, self._now, self._sampled - self._now
        # As many as there are now: others may add to them without end.
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
        """After an interruption in the middle of counting: forget some of it, so that no later one fails."""
        self._instants = sorted(self._last.values())
        self._now = max([self._now, *self._instants[-1:]])

    def _follow_fewer(self) -> None:
        self._distances, self._seen = self._all()
        self._near = [0] * (self._max_sampled + 1)
        self._sampled = 0
        kept = sorted(self._last)[: int(self._max_sampled * _KEPT)]
        self.threshold = kept[-1] + 1
        self._last = {digest: self._last[digest] for digest in kept}
        self._instants = sorted(self._last.values())

    def _all(self) -> tuple[dict[int, float], float]:
        """How many lookups there were by the bucket of their distance, and in all."""
        share = self.threshold / (DIGEST_MASK + 1)
        distances = dict(self._distances)
        for near, times in enumerate(self._near):
            if times:
                bucket = _bucket_of(int((near + 0.5) / share - 0.5))
                distances[bucket] = distances.get(bucket, 0.0) + times / share
        return distances, self._seen + self._sampled / share

    def hits_at(self, sizes: Iterable[float], lookups: int) -> list[float]:
        """How many of all lookups would have been hits in caches of these sizes, in entries.

        Args:
            sizes: The sizes, smallest first.
            lookups: How many lookups there were, of all keys. What the sample comes short of it, or
                is beyond, is taken to be lookups of keys that were just looked up before.
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
    """Buckets of a relative width of 1/128."""
    shift = max(0, distance.bit_length() - _BITS - 1)
    return (shift << _BITS) + (distance >> shift)


def _middle(bucket: int) -> float:
    shift = max(0, (bucket >> _BITS) - 1)
    return ((bucket - (shift << _BITS)) << shift) + ((1 << shift) - 1) / 2
