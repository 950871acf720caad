"""LFU of `cachetools`: the least frequently used entry is evicted first.

`LFU(maxsize, getsizeof=None)`. Among equals, the least recently used one goes first.
Uses are counted as long as an entry is in the cache, so an entry that was popular once stays. A read
moves its key between counts, so it needs the tier's lock.
"""

from __future__ import annotations

from cachetools import LFUCache

__all__ = ["LFU"]

LFU = LFUCache
