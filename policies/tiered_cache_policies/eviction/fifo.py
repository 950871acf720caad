"""FIFO, as `cachetools` has it: what was written first is let go first.

`FIFO(maxsize, getsizeof=None)`. Reads change nothing.
"""

from __future__ import annotations

from cachetools import FIFOCache

__all__ = ["FIFO"]

FIFO = FIFOCache
