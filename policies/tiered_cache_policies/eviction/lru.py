"""LRU of `cachetools`: the least recently used entry is evicted first.

`LRU(maxsize, getsizeof=None)`. A read changes the order of keys, so it needs the tier's lock.
"""

from __future__ import annotations

from cachetools import LRUCache

__all__ = ["LRU"]

LRU = LRUCache
