"""The sample of lookups behind the miss-ratio curves of all tiers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tiered_cache.stats.curves.shards import Shards
from tiered_cache.stats.snapshot.tier_stats import CURVE_SIZES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache.contracts import TierInfo

__all__ = ["Curves", "size_in_entries"]

_ALL_SAMPLED = 6144
"""Bound on the keys that all tiers of a cache follow together: less than 1 MiB."""

_MOST_SAMPLED = 4096
_SLOT_S = 0.005
_SEEN_PER_SLOT = 10
_REST_S = 1.0
"""At most `_SEEN_PER_SLOT` hits a slot are seen: 2000 a second, a hundredth of the hits that one core
can serve. Past that, a key stays unseen for `_REST_S`."""


class Curves:
    """A sample of the lookups that reach each tier, for its miss-ratio curve.

    A caller compares the digest of each key with `sampled_below` and calls `see` for sampled keys only.

    An inlined hit calls nothing. So the memory tier asks `rest_s` how long a key may be inlined
    before its next hit must take the path on which it is seen: no time for sampled keys, or a second
    while there are too many of their hits. Keys that go unseen that long were just used, and count
    as such.

    Thread-safe.

    Args:
        tiers: The number of tiers.
        monotonic: The clock.

    Attributes:
        sampled_below: By the place of a tier, a bound on the digests that it or a faster tier samples.
            The bounds only fall.
    """

    def __init__(self, tiers: int, monotonic: Callable[[], float]) -> None:
        most = min(_MOST_SAMPLED, _ALL_SAMPLED // tiers)
        self._shards = tuple([Shards(most) for _ in range(tiers)])
        self.sampled_below: list[int] = [each.threshold for each in self._shards]
        self._reached = [self._shards[: level + 1] for level in range(tiers)]
        self._monotonic = monotonic
        self._slot_ends_s = -math.inf
        self._left = 0

    def see(self, digest: int, level: int) -> None:
        """Count a lookup that ended in the tier at the place `level`.

        Args:
            digest: `hash(key) & DIGEST_MASK`, less than `sampled_below[level]`.
            level: The place of the last tier that the lookup reached.
        """
        sampled = False
        for shards in self._reached[level]:
            if digest < shards.threshold:
                shards.see(digest)
                sampled = True
        if not sampled:  # the thresholds have fallen since the bound was set
            self.sampled_below[level] = max([each.threshold for each in self._reached[level]])

    def rest_s(self) -> float:
        """Seconds for which hits of a sampled key in the first tier need not be seen."""
        now_s = self._monotonic()
        if now_s >= self._slot_ends_s:
            self._slot_ends_s = now_s + _SLOT_S
            self._left = _SEEN_PER_SLOT
        self._left -= (
            1  # without a lock: two threads may count as one, and the bound is approximate
        )
        return 0.0 if self._left >= 0 else _REST_S

    def curve(self, tier: int, size: float, lookups: int) -> tuple[float, ...]:
        """The estimated hits of a tier at each of `CURVE_SIZES`.

        Args:
            tier: The place of the tier.
            size: The capacity of the tier, in entries.
            lookups: The number of lookups that reached it.
        """
        sizes = [size * times for times in CURVE_SIZES]
        return tuple(self._shards[tier].hits_at(sizes, lookups))


def size_in_entries(info: TierInfo) -> float | None:
    """The capacity of a tier in entries, assuming entries of the present mean size."""
    bounds = []
    if info.max_entries is not None:
        bounds.append(float(info.max_entries))
    if info.max_bytes is not None and info.bytes and info.entries:
        bounds.append(info.max_bytes / (info.bytes / info.entries))
    return min(bounds, default=None)
