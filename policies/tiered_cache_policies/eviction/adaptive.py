"""Adaptive: evicts as LRU, S3-FIFO or W-TinyLFU, the one with the fewest recent misses."""

from __future__ import annotations

import sys
from copy import copy
from typing import TYPE_CHECKING, Any, TypeVar, overload

from cachetools import Cache

from tiered_cache_policies.eviction._leader import Leader
from tiered_cache_policies.eviction._lru_shadow import LRUShadow
from tiered_cache_policies.eviction._s3fifo_shadow import S3FIFOShadow
from tiered_cache_policies.eviction._tinylfu_shadow import TinyLFUShadow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tiered_cache_policies.eviction._shadow import Shadow

__all__ = ["Adaptive"]

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")

_BATCH = 256
"""The number of uses in the log before all shadows replay it."""
_AHEAD = 64
"""The most successive evictions from one list of the leader's next keys."""


class Adaptive(Cache[K, V]):
    """A bounded mapping that evicts as the policy with the fewest recent misses would.

    Three shadows hold the keys that LRU, S3-FIFO and W-TinyLFU would hold. Uses are logged, and the
    shadows replay the log in batches, which costs a fraction of single calls. The shadow with the
    fewest misses leads (`_leader.Leader`). An eviction removes an entry that the leader does not
    hold, so the cache approaches the leader's entries; if there is none, it removes the leader's next
    key to evict. S3-FIFO leads at the start. If the cache falls behind LRU, LRU leads from the next
    batch on. Any other change needs a margin, which grows with wrong changes.

    Sources: The guard for LRU, the margins and the batches are this project's own. The idea of
    choosing among policies by simulating them on keys alone is from Qureshi et al., "A Case for
    MLP-Aware Cache Replacement", ISCA 2006, and Vietri et al., "Driving Cache Replacement with
    ML-based LeCaR", HotStorage 2018. For the policies see `S3FIFO` and `TinyLFU`.

    It behaves as any `cachetools.Cache`: `ValueError` for a value larger than `maxsize`, `KeyError`
    for an absent key unless a subclass has `__missing__`, eviction by `self.popitem()` only. Shadows
    count entries, not sizes: with `getsizeof` their limit is the number of entries of the present
    mean size that would fit. They ignore deletions, which say nothing about a policy.

    Args:
        maxsize: The largest size of all entries, in the unit of `getsizeof`.
        getsizeof: The size of a value; 1 for each by default.

    Cost: O(1) amortised, about that of three policies; about 400 bytes an entry besides the values,
    and a log of 256 keys. Not thread-safe.
    """

    def __init__(self, maxsize: float, getsizeof: Callable[[V], float] | None = None) -> None:
        super().__init__(maxsize, getsizeof)
        self._limit = maxsize
        self._measured = self.getsizeof is not Cache.getsizeof or maxsize < 1
        self._most = sys.maxsize if self._measured else int(min(maxsize, sys.maxsize))
        self._forget()

    def _forget(self) -> None:
        self._values: dict[K, V] = {}
        self._sizes: dict[K, float] = {}
        self._used: float = 0
        self._full = False
        # In the order of the numbers in Leader.
        self._shadows: tuple[Shadow[K], ...] = (LRUShadow(), S3FIFOShadow(), TinyLFUShadow())
        self._leader = Leader()
        # The next keys to evict, the first at the end, with the number of uses that would spare
        # each. The leading shadow does not hold them, or evicts them next. Some may be gone already.
        self._doomed: dict[K, int] = {}
        self._log: list[K] = []
        # The length of the log that the leading shadow has replayed.
        self._seen = 0
        self._resize(self._most)

    def _resize(self, entries: int) -> None:
        for shadow in self._shadows:
            shadow.resize(max(entries, 1))

    @property
    def currsize(self) -> float:
        """The size of all entries, in the unit of `getsizeof`."""
        return self._used if self._measured else len(self._values)

    def __getitem__(self, key: K) -> V:
        if key not in self._values:
            return self.__missing__(key)
        log = self._log
        log.append(key)
        if key in self._doomed:
            self._spare(key)
        if len(log) >= _BATCH:
            self._review()
        return self._values[key]

    def __missing__(self, key: K) -> V:
        # A caller that must not count a use calls `Cache.__getitem__`. That finds nothing in the
        # base class's dictionary, which stays empty, and ends here.
        return self._values[key]

    @overload
    def get(self, key: K, /) -> V | None: ...
    @overload
    def get(self, key: K, /, default: V | T) -> V | T: ...
    def get(self, key: K, default: Any = None) -> Any:
        """The value of `key`, or `default`; a use."""
        # As in `[]`, without the call.
        if key not in self._values:
            return default
        log = self._log
        log.append(key)
        if key in self._doomed:
            self._spare(key)
        if len(log) >= _BATCH:
            self._review()
        return self._values[key]

    def _spare(self, key: K) -> None:
        """Count a use of a key that is to be evicted."""
        uses = self._doomed[key]
        if uses > 1:
            self._doomed[key] = uses - 1
        else:
            del self._doomed[key]

    def __setitem__(self, key: K, value: V) -> None:
        values, log = self._values, self._log
        if self._measured:
            self._make_room(key, self.getsizeof(value))
        # Also for a new key: it was deleted before, or only the leader held it.
        if key in self._doomed:
            self._spare(key)
        if key not in values and len(values) >= self._most:
            self._full = True
            self.popitem()
        values[key] = value
        log.append(key)
        if len(log) >= _BATCH:
            self._review()

    def _make_room(self, key: K, size: float) -> None:
        """Evict until `key` has room for `size`, and count it."""
        if not 0 <= size <= self._limit:
            msg = "value too large" if size > self._limit else "value size must be non-negative"
            raise ValueError(msg)
        sizes = self._sizes
        while self._used + size - sizes.get(key, 0) > self._limit:
            self._full = True
            self.popitem()
        self._used += size - sizes.get(key, 0)
        sizes[key] = size

    def popitem(self) -> tuple[K, V]:
        """Remove and return a `(key, value)` that the leader does not hold or evicts next."""
        values = self._values
        while True:
            doomed = self._doomed or self._doom()
            key, _ = doomed.popitem()
            if key in values:
                if self._measured:
                    self._used -= self._sizes.pop(key)
                return key, values.pop(key)

    def _doom(self) -> dict[K, int]:
        """Find the next keys to evict; at least one is in the cache."""
        values = self._values
        leading = self._catch_up()
        if self._doomed:
            return self._doomed
        self._doomed = doomed = leading.next_to_go(_AHEAD)
        for key in doomed:
            if key in values:
                return doomed
        # All of the leader's next keys were deleted or did not fit: any entry will do.
        for key in values:
            doomed[key] = 1
            return doomed
        msg = f"{type(self).__name__} is empty"
        raise KeyError(msg) from None

    def _catch_up(self) -> Shadow[K]:
        """Replay the rest of the log in the leading shadow, and doom the keys that it evicts."""
        leading = self._shadows[self._leader.number]
        seen, log = self._seen, self._log
        self._seen = len(log)
        gone = leading.replay(log[seen:] if seen else log)
        if gone:
            values, held, doomed = self._values, leading.held, self._doomed
            gone.reverse()
            for key in gone:
                if key in values and key not in held:
                    doomed[key] = 1
        return leading

    def _review(self) -> None:
        """Replay the log in every shadow, and follow the best."""
        leading = self._catch_up()
        shadows, log, values = self._shadows, self._log, self._values
        for shadow in shadows:
            if shadow is not leading:
                shadow.replay(log)
        log.clear()
        self._seen = 0
        if self._used:
            self._resize(int(min(self._limit * len(values) / self._used, sys.maxsize)))
        if self._full and self._leader.review([each.misses for each in shadows], len(values) or 1):
            held = shadows[self._leader.number].held
            self._doomed = {key: 1 for key in values if key not in held}

    def __delitem__(self, key: K) -> None:
        del self._values[key]
        if self._measured:
            self._used -= self._sizes.pop(key)

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[K]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"{name}({self._values!r}, maxsize={self._limit!r}, currsize={self.currsize!r})"

    def clear(self) -> None:
        """Remove everything, and reset the choice of the leader. O(n)."""
        self._forget()

    def __copy__(self) -> Adaptive[K, V]:
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        for name in ("_values", "_sizes", "_doomed", "_log", "_leader"):
            setattr(twin, name, copy(self.__dict__[name]))
        twin.__dict__["_shadows"] = tuple(map(copy, self._shadows))
        return twin
