"""LRU, as `cachetools` has it: what was not used for longest is let go first.

`LRU(maxsize, getsizeof=None)`. A read moves its key in an order, so it needs the tier's lock.
"""

from __future__ import annotations

from cachetools import LRUCache

__all__ = ["LRU"]

LRU = LRUCache
