"""ARC: lists for recency and for frequency; returning ghosts move room between them."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from cachetools import Cache

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ARC"]

K = TypeVar("K")
V = TypeVar("V")


class _Keys(Generic[K]):
    """Keys and their sizes, least recently used first.

    Attributes:
        sizes: The sizes by key.
        used: Their sum.
    """

    __slots__ = ("sizes", "used")

    def __init__(self) -> None:
        self.sizes: OrderedDict[K, float] = OrderedDict()
        self.used: float = 0

    def add(self, key: K, size: float) -> None:
        self.sizes[key] = size
        self.used += size

    def drop(self, key: K) -> float:
        size = self.sizes.pop(key)
        self.used -= size
        return size

    def drop_oldest(self) -> tuple[K, float]:
        key, size = self.sizes.popitem(last=False)
        self.used -= size
        return key, size

    def resize(self, key: K, size: float) -> None:
        self.used += size - self.sizes[key]
        self.sizes[key] = size

    def copy(self) -> _Keys[K]:
        twin: _Keys[K] = _Keys()
        twin.sizes = self.sizes.copy()
        twin.used = self.used
        return twin


class ARC(Cache[K, V]):
    """A bounded mapping that evicts by ARC, the Adaptive Replacement Cache.

    Entries with one use and entries with more uses are two lists in LRU order. The keys that either
    list evicted are remembered, as ghosts. A ghost that comes back shows that its list was too
    short: the target size of the first list moves accordingly, and evictions follow the target.

    Source: Megiddo and Modha, "ARC: A Self-Tuning, Low Overhead Replacement Cache", FAST 2003.
    The paper knows no sizes other than 1. Here a list is measured by the sum of its sizes, and the
    target moves by the size of the ghost that comes back.

    It behaves as any `cachetools.Cache`: `ValueError` for a value larger than `maxsize`, `KeyError`
    for an absent key unless a subclass has `__missing__`, eviction by `self.popitem()` only. `[]`,
    `get`, `setdefault` and replacing a value are uses; `in`, `len`, `pop` and iteration over the
    keys are not.

    Args:
        maxsize: The largest size of all entries, in the unit of `getsizeof`. In addition, it
            remembers the keys of evicted entries of the same size in all.
        getsizeof: The size of a value; 1 for each by default.

    Cost: O(1). Not safe for several threads.
    """

    def __init__(self, maxsize: float, getsizeof: Callable[[V], float] | None = None) -> None:
        super().__init__(maxsize, getsizeof)
        self._forget()

    def _forget(self) -> None:
        self._once: _Keys[K] = _Keys()
        self._again: _Keys[K] = _Keys()
        self._once_ghosts: _Keys[K] = _Keys()
        self._again_ghosts: _Keys[K] = _Keys()
        self._target: float = 0
        """The target size of the entries with one use."""
        self._for_again = False
        """Whether the room is for a ghost of `_again`; decides the eviction if the target is met."""

    def __getitem__(self, key: K, _get: Callable[..., Any] = Cache.__getitem__) -> V:
        value: V = _get(self, key)
        self._use(key)
        return value

    def _use(self, key: K) -> bool:
        """Make `key` the most recently used; false for an absent key."""
        if key in self._again.sizes:
            self._again.sizes.move_to_end(key)
        elif key in self._once.sizes:
            self._again.add(key, self._once.drop(key))
        else:
            return False  # the key is new, or the __missing__ of a subclass did not store it
        return True

    def __setitem__(self, key: K, value: V, _set: Callable[..., None] = Cache.__setitem__) -> None:
        # Before the evictions: they must spare a present key, and a returning ghost moves the target.
        if not self._use(key):
            self._adapt(key)
        try:
            _set(self, key, value)
        finally:
            self._for_again = False
        size = self.getsizeof(value)
        if key in self._again.sizes:
            self._again.resize(key, size)
        else:
            self._admit(key, size)

    def _adapt(self, key: K) -> None:
        once, again = self._once_ghosts, self._again_ghosts
        if key in once.sizes:
            step = max(again.used / once.used, 1) * once.sizes[key]
            self._target = min(self._target + step, self.maxsize)
        elif key in again.sizes:
            step = max(once.used / again.used, 1) * again.sizes[key]
            self._target = max(self._target - step, 0)
            self._for_again = True

    def _admit(self, key: K, size: float) -> None:
        for ghosts in (self._once_ghosts, self._again_ghosts):
            if key in ghosts.sizes:
                ghosts.drop(key)
                self._again.add(key, size)
                break
        else:
            self._once.add(key, size)
        once = self._once.used + self._once_ghosts.used
        while once > self.maxsize and self._once_ghosts.sizes:
            once -= self._once_ghosts.drop_oldest()[1]
        ghosts_limit = 2 * self.maxsize - once - self._again.used
        while self._again_ghosts.used > ghosts_limit and self._again_ghosts.sizes:
            self._again_ghosts.drop_oldest()

    def __delitem__(self, key: K, _del: Callable[..., None] = Cache.__delitem__) -> None:
        _del(self, key)
        (self._once if key in self._once.sizes else self._again).drop(key)

    def popitem(self) -> tuple[K, V]:
        """Remove and return the least recently used `(key, value)` of the list that is too long."""
        once, again = self._once, self._again
        over = once.used > self._target or (self._for_again and once.used == self._target)
        if once.sizes and (over or not again.sizes):
            key, size = once.drop_oldest()
            ghosts = self._once_ghosts
        elif again.sizes:
            key, size = again.drop_oldest()
            ghosts = self._again_ghosts
        else:
            msg = f"{type(self).__name__} is empty"
            raise KeyError(msg) from None
        if size:  # the number of ghosts of size 0 would be unbounded
            ghosts.add(key, size)
        value: V = Cache.__getitem__(self, key)
        Cache.__delitem__(self, key)
        return key, value

    def clear(self) -> None:
        """Remove everything, and forget the ghosts."""
        super().clear()
        self._forget()

    def __copy__(self) -> ARC[K, V]:
        twin: ARC[K, V] = super().__copy__()  # type: ignore[misc] # missing in the stubs only
        for name in ("_once", "_again", "_once_ghosts", "_again_ghosts"):
            setattr(twin, name, getattr(self, name).copy())
        return twin
