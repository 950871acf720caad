"""Adaptive: evicts as LRU, S3-FIFO or W-TinyLFU would, whichever would have missed least lately."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any, TypeVar

from cachetools import Cache

from tiered_cache_policies.eviction._leader import REAL, Leader
from tiered_cache_policies.eviction._lru_shadow import LRUShadow
from tiered_cache_policies.eviction.s3fifo import S3FIFO
from tiered_cache_policies.eviction.tinylfu import TinyLFU

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Adaptive"]

K = TypeVar("K")
V = TypeVar("V")


def _itself(size: float) -> float:
    """What an entry of a shadow takes: its value says."""
    return size


class Adaptive(Cache[K, V]):
    """A bounded mapping that evicts as the policy would that has done best lately.

    Three shadows see every use, and hold the keys that LRU, S3-FIFO and W-TinyLFU would hold.
    The one that has missed least leads (`_leader.Leader`): what has to go is something that its
    shadow does not hold, so the cache comes to hold what the leader would. It starts with
    S3-FIFO. Falling behind LRU is answered at once, any other change takes a margin, which grows
    while changes turn out badly.

    Sources: LRU's guard and the margins are this project's own; the idea of choosing among
    policies by simulating them on keys alone is of Qureshi et al., "A Case for MLP-Aware Cache
    Replacement", ISCA 2006, and Vietri et al., "Driving Cache Replacement with ML-based LeCaR",
    HotStorage 2018. For the policies see `S3FIFO` and `TinyLFU`.

    It behaves as every `cachetools.Cache` does: `ValueError` for a value larger than `maxsize`,
    `KeyError` for an absent key unless a subclass has `__missing__`, eviction by `self.popitem()`
    only. Another value of another size makes its key a newcomer.

    Args:
        maxsize: The most that it holds, in the unit of `getsizeof`.
        getsizeof: The size of a value; by default each counts 1.

    Cost: O(1) amortised, of about four policies; and their memory, but for the values: some
    550 bytes an entry. Not safe for several threads.
    """

    def __init__(self, maxsize: float, getsizeof: Callable[[V], float] | None = None) -> None:
        super().__init__(maxsize, getsizeof)
        self._limit = maxsize
        self._measured = self.getsizeof is not Cache.getsizeof or maxsize < 1
        weigh = _itself if self._measured else None
        self._values: dict[K, V] = {}
        self._sizes: dict[K, float] = {}
        self._used: float = 0
        # In the order in which the leader counts them. LRU's nodes are of another kind.
        self._shadows: tuple[Any, ...] = (
            LRUShadow(maxsize),
            S3FIFO(maxsize, weigh),
            TinyLFU(maxsize, weigh),
        )
        self._leader = Leader()
        # What is held and the leader's shadow does not hold. A dictionary is the set that gives
        # back what was added last: in loops that is what comes back last.
        self._strays: dict[K, None] = {}

    @property
    def currsize(self) -> float:
        """What it holds now, in the unit of `getsizeof`."""
        return self._used

    def __getitem__(self, key: K) -> V:
        try:
            value = self._values[key]
        except KeyError:
            return self.__missing__(key)
        lru, s3fifo, tinylfu = self._shadows
        order = lru.nodes
        in_s3fifo = s3fifo.nodes.get(key)
        in_tinylfu = tinylfu.nodes.get(key)
        if in_s3fifo is None or in_tinylfu is None or key not in order:
            self._use(key, self._sizes[key] if self._measured else 1)
        else:
            # As _use does, without the calls: most hits are hits everywhere.
            order.move_to_end(key)
            in_s3fifo.visits += 1
            in_tinylfu.visits += 1
        return value

    def __missing__(self, key: K) -> V:
        # `Cache.__getitem__`, called on a policy to look without using, finds nothing in the
        # base class's own dictionary, which stays empty, and ends here.
        return self._values[key]

    def _use(self, key: K, size: float) -> None:
        """Tell the shadows, somebody of whom may miss."""
        leader = self._leader
        misses, leading = leader.misses, leader.number
        for number, shadow in enumerate(self._shadows):
            nodes = shadow.nodes
            if key not in nodes:
                misses[number] += 1
                if number == leading:
                    self._make_room(shadow, self._limit - size)
                shadow[key] = size
            elif number:
                nodes[key].visits += 1
            else:
                nodes.move_to_end(key)
        if self._strays:
            self._strays.pop(key, None)
        leader.events += 1
        if leader.events >= leader.due and leader.review(len(self._values) or 1):
            nodes = self._shadows[leader.number].nodes
            self._strays = dict.fromkeys(held for held in self._values if held not in nodes)

    def _make_room(self, shadow: Any, limit: float) -> None:
        while shadow.currsize > limit:
            gone, _ = shadow.popitem()
            if gone in self._values:
                self._strays[gone] = None

    def __setitem__(self, key: K, value: V) -> None:
        size: float = 1
        if self._measured:
            size = self._measure(value)
            self._leave_shadows(key, but_of=size)
        held = key in self._values
        self._use(key, size)
        if not held:
            self._leader.misses[REAL] += 1
        growth = size - (self._sizes[key] if self._measured else 1) if held else size
        while self._used + growth > self._limit:
            self.popitem()
        self._values[key] = value
        self._used += growth
        if self._measured:
            self._sizes[key] = size

    def _measure(self, value: V) -> float:
        size = self.getsizeof(value)
        if not 0 <= size <= self._limit:
            msg = "value too large" if size > self._limit else "value size must be non-negative"
            raise ValueError(msg)
        return size

    def popitem(self) -> tuple[K, V]:
        """Remove and return a `(key, value)` that the leader would not hold, or would let go."""
        if not self._values:
            msg = f"{type(self).__name__} is empty"
            raise KeyError(msg) from None
        leader = self._leader
        if leader.due == math.inf:
            leader.start(len(self._values))
        while not self._strays:
            gone, _ = self._shadows[leader.number].popitem()
            if gone in self._values:
                self._strays[gone] = None
        key, _ = self._strays.popitem()
        self._used -= self._sizes.pop(key) if self._measured else 1
        return key, self._values.pop(key)

    def __delitem__(self, key: K) -> None:
        del self._values[key]
        self._used -= self._sizes.pop(key) if self._measured else 1
        self._strays.pop(key, None)
        self._leave_shadows(key)

    def _leave_shadows(self, key: K, *, but_of: float = -1) -> None:
        """Take `key` out of the shadows, but of those that know it with that size."""
        lru, *others = self._shadows
        if lru.nodes.get(key, but_of) != but_of:
            del lru[key]
        for shadow in others:
            node = shadow.nodes.get(key)
            if node is not None and node.size != but_of:
                del shadow[key]

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[K]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"{name}({self._values!r}, maxsize={self._limit!r}, currsize={self._used!r})"

    def clear(self) -> None:
        """Remove everything, and forget who did best. O(n)."""
        for each in (self._values, self._sizes, self._strays):
            each.clear()
        for shadow in self._shadows:
            shadow.clear()
        self._used = 0
        self._leader = Leader()

    def __copy__(self) -> Adaptive[K, V]:
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        for name in ("_values", "_sizes", "_strays"):
            setattr(twin, name, self.__dict__[name].copy())
        twin.__dict__["_shadows"] = tuple(map(copy.copy, self._shadows))
        twin.__dict__["_leader"] = self._leader.copy()
        return twin
