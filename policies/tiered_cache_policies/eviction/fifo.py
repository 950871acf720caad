"""FIFO of `cachetools`: the oldest entry is evicted first.

`FIFO(maxsize, getsizeof=None)`. Reads change nothing.
"""

from __future__ import annotations

from cachetools import FIFOCache

__all__ = ["FIFO"]

FIFO = FIFOCache
