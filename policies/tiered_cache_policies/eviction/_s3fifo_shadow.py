"""The keys that S3-FIFO would hold."""

from __future__ import annotations

from collections import OrderedDict, deque
from itertools import chain, islice
from typing import TYPE_CHECKING, TypeVar

from tiered_cache_policies.eviction._shadow import Shadow

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["S3FIFOShadow"]

K = TypeVar("K")

_SMALL = 0.1
_GHOSTS = 0.9
_PROVEN = 2
_MOST = 3


class S3FIFOShadow(Shadow[K]):
    """The keys in the queues of `S3FIFO`; see there for the algorithm.

    No key is removed from the middle of a queue, so a `deque` of keys suffices. The state of a key
    is the number of its visits.
    """

    held: dict[K, int]

    def __init__(self) -> None:
        super().__init__()
        self.held = {}
        self._small: deque[K] = deque()
        self._main: deque[K] = deque()
        self._ghosts: OrderedDict[K, None] = OrderedDict()

    def resize(self, limit: int) -> None:
        """Hold `limit` keys at most."""
        super().resize(limit)
        self._small_limit = max(int(limit * _SMALL), 1)
        self._main_limit = limit - self._small_limit
        self._memory = int(limit * _GHOSTS)

    def replay(self, uses: Sequence[K]) -> list[K]:
        """Replay `uses`."""
        visits, ghosts = self.held, self._ghosts
        small, main = self._small, self._main
        small_limit, memory = self._small_limit, self._memory
        room = self.limit - len(visits)
        excess = len(main) - self._main_limit
        misses = 0
        gone: list[K] = []
        for key in uses:
            if key in visits:
                visits[key] += 1
                continue
            misses += 1
            proven = key in ghosts
            if proven:
                del ghosts[key]
            elif not ghosts and room > 0 and len(small) >= small_limit:
                proven = True
            while room <= 0:
                # As in _choose, without the call: mostly the oldest key of the small queue goes.
                if excess <= 0 and small and visits[oldest := small[0]] < _PROVEN:
                    small.popleft()
                    ghosts[oldest] = None
                    if len(ghosts) > memory:
                        ghosts.popitem(False)
                else:
                    oldest = self._choose()
                    excess = len(main) - self._main_limit
                del visits[oldest]
                gone.append(oldest)
                room += 1
            room -= 1
            visits[key] = 0
            if proven:
                main.append(key)
                excess += 1
            else:
                small.append(key)
        self.misses += misses
        return gone

    def _choose(self) -> K:
        """Remove the next key to evict from its queue."""
        visits, small, main = self.held, self._small, self._main
        if len(main) <= self._main_limit:
            while small:
                oldest = small.popleft()
                if visits[oldest] < _PROVEN:
                    self._ghosts[oldest] = None
                    if len(self._ghosts) > self._memory:
                        self._ghosts.popitem(last=False)
                    return oldest
                visits[oldest] = 0
                main.append(oldest)
        while left := visits[oldest := main.popleft()]:
            visits[oldest] = left - 1 if left < _MOST else _MOST - 1
            main.append(oldest)
        return oldest

    def next_to_go(self, most: int) -> dict[K, int]:
        """The oldest keys of the next queue to evict from, without those that it would spare."""
        visits, small, main = self.held, self._small, self._main
        found: dict[K, int] = {}
        if len(main) <= self._main_limit:
            oldest = list(islice(small, most))
            for key in reversed(oldest):
                if (uses := _PROVEN - visits[key]) > 0:
                    found[key] = uses
        if not found:
            oldest = list(islice(main, most))
            for key in reversed(oldest):
                if not visits[key]:
                    found[key] = 1
        return found or dict.fromkeys(islice(chain(main, small), 1), 1)
