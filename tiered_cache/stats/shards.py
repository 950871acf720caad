"""Miss-ratio curves from a small sample of the keys."""

from __future__ import annotations

import array
import bisect
from typing import TYPE_CHECKING

from tiered_cache.forking import fork_safe_lock

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DIGEST_MASK", "MAX_SAMPLED", "Shards"]

DIGEST_MASK = (1 << 60) - 1
"""What of a key's hash is looked at: `hash(key) & DIGEST_MASK < shards.threshold`, and it is sampled."""

MAX_SAMPLED = 2048
"""How many keys are followed at most."""

_KEPT = 0.9
"""The part of them that is followed on when there is one too many."""

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

    Thread-safe. Some 300 KiB at most; a lookup of a sampled key takes about 2 µs.

    Args:
        max_sampled: How many keys it follows at most.
    """

    def __init__(self, max_sampled: int = MAX_SAMPLED) -> None:
        self.threshold = DIGEST_MASK + 1
        """Keys are sampled whose digest is below it; it only falls."""
        self._max_sampled = max_sampled
        self._lock = fork_safe_lock()
        self._last: dict[int, int] = {}
        self._instants = array.array("q")
        """Those of the latest lookups of all sampled keys, in order."""
        self._now = 0
        self._distances: dict[int, float] = {}
        """How many lookups, sampled or not, had a distance, by its bucket."""
        self._seen = 0.0

    def see(self, digest: int) -> None:
        """Count a lookup of a key, if it is sampled."""
        if digest >= self.threshold:
            return
        with self._lock:
            share = self.threshold / (DIGEST_MASK + 1)
            instants = self._instants
            self._now += 1
            self._seen += 1 / share
            before = self._last.get(digest)
            if before is not None:
                place = bisect.bisect_left(instants, before)
                distance = (len(instants) - place - 0.5) / share - 0.5
                bucket = _bucket_of(int(distance))
                self._distances[bucket] = self._distances.get(bucket, 0.0) + 1 / share
                del instants[place]
            instants.append(self._now)
            self._last[digest] = self._now
            if before is None and len(self._last) > self._max_sampled:
                self._follow_fewer()

    def _follow_fewer(self) -> None:
        kept = sorted(self._last)[: int(self._max_sampled * _KEPT)]
        self.threshold = kept[-1] + 1
        self._last = {digest: self._last[digest] for digest in kept}
        self._instants = array.array("q", sorted(self._last.values()))

    def hits_at(self, sizes: Iterable[float], lookups: int) -> list[float]:
        """How many of all lookups would have been hits in caches of these sizes, in entries.

        Args:
            sizes: The sizes, smallest first.
            lookups: How many lookups there were, of all keys. What the sample comes short of it, or
                is beyond, is taken to be lookups of keys that were just looked up before.
        """
        with self._lock:
            buckets = sorted(self._distances.items())
            hits = lookups - self._seen
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
