"""Which lookups are looked at more closely, so that it is known what other sizes would do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tiered_cache.stats.curves.sampled_curve import DIGEST_MASK, Shards
from tiered_cache.stats.snapshot.tier_stats import CURVE_SIZES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache.contracts import TierInfo

__all__ = ["Curves", "size_in_entries"]

_ALL_SAMPLED = 6144
"""How many keys all tiers of a cache follow together: less than 1 MiB."""

_MOST_SAMPLED = 4096
_SLOT_S = 0.005
_SEEN_PER_SLOT = 10
_REST_S = 1.0
"""So many hits a slot are seen at most, 2000 a second: a hundredth of what a core can do in hits. Past
that, a key is not seen for this long."""


class Curves:
    """A sample of the lookups that reach each tier, for their miss-ratio curves.

    What is not inlined is seen, if its key is in the sample. An inlined hit calls nothing: so the
    memory tier asks `rest_s` how long a key may be inlined before its next hit is to come by the way
    on which it is seen. That is no time at all for sampled keys, unless there are too many hits of
    them; those that are not seen then have just been used, and count as such.

    Thread-safe.

    Args:
        tiers: How many tiers there are.
        monotonic: The clock.
    """

    def __init__(self, tiers: int, monotonic: Callable[[], float]) -> None:
        most = min(_MOST_SAMPLED, _ALL_SAMPLED // tiers)
        self._shards = tuple([Shards(most) for _ in range(tiers)])
        self._reached = [self._shards[:count] for count in range(tiers + 1)]
        self._monotonic = monotonic
        self._slot_ends_s = -math.inf
        self._left = 0

    def see(self, key: str, reached: int) -> None:
        """Count a lookup that reached the first `reached` tiers."""
        digest = hash(key) & DIGEST_MASK
        for shards in self._reached[reached]:
            if digest < shards.threshold:
                shards.see(digest)

    def rest_s(self, key: str) -> float:
        """For how many seconds hits of a key in the first tier need not be seen."""
        if hash(key) & DIGEST_MASK >= self._shards[0].threshold:
            return math.inf
        now_s = self._monotonic()
        if now_s >= self._slot_ends_s:
            self._slot_ends_s = now_s + _SLOT_S
            self._left = _SEEN_PER_SLOT
        self._left -= 1  # of two threads that come at once, one may not count: it is a bound, about
        return 0.0 if self._left >= 0 else _REST_S

    def curve(self, tier: int, size: float, lookups: int) -> tuple[float, ...]:
        """The hits of all lookups of a tier at each of `CURVE_SIZES`.

        Args:
            tier: Its place.
            size: What it has room for, in entries.
            lookups: How many lookups reached it.
        """
        sizes = [size * times for times in CURVE_SIZES]
        return tuple(self._shards[tier].hits_at(sizes, lookups))


def size_in_entries(info: TierInfo) -> float | None:
    """How many entries a tier has room for, if they go on to be as large as those that it holds."""
    bounds = []
    if info.max_entries is not None:
        bounds.append(float(info.max_entries))
    if info.max_bytes is not None and info.bytes and info.entries:
        bounds.append(info.max_bytes / (info.bytes / info.entries))
    return min(bounds, default=None)
