"""The keys that LRU would hold."""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from tiered_cache_policies.eviction._shadow import Shadow

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LRUShadow"]

K = TypeVar("K")


class LRUShadow(Shadow[K]):
    """The most recently used keys."""

    held: OrderedDict[K, None]

    def __init__(self) -> None:
        super().__init__()
        self.held = OrderedDict()

    def replay(self, uses: Sequence[K]) -> list[K]:
        """Replay `uses`."""
        held = self.held
        use, evict = held.move_to_end, held.popitem
        room = self.limit - len(held)
        misses = 0
        gone: list[K] = []
        for key in uses:
            if key in held:
                use(key)
                continue
            misses += 1
            held[key] = None
            room -= 1
            while room < 0:
                gone.append(evict(False)[0])
                room += 1
        self.misses += misses
        return gone

    def next_to_go(self, most: int) -> dict[K, int]:
        """The least recently used keys."""
        oldest = list(islice(self.held, most))
        oldest.reverse()
        return dict.fromkeys(oldest, 1)
