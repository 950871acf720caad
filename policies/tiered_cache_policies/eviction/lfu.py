"""LFU, as `cachetools` has it: what was used least often is let go first.

`LFU(maxsize, getsizeof=None)`. Among equals, the one that was not used for longest goes first.
Uses are counted while an entry is held and never forgotten, so what was popular once stays. A
read moves its key between counts, so it needs the tier's lock.
"""

from __future__ import annotations

from cachetools import LFUCache

__all__ = ["LFU"]

LFU = LFUCache
