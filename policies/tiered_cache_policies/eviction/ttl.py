"""TTL of `cachetools`: LRU that also removes entries older than `ttl`.

`TTL(maxsize, ttl, timer=time.monotonic, getsizeof=None)`. `ttl` is one limit for
all entries, in the unit of `timer`. The lifetime of a single entry needs no policy: the tier
enforces it. Entries older than `ttl` are removed without `popitem()`, so they are not counted as
evictions.
"""

from __future__ import annotations

from cachetools import TTLCache

__all__ = ["TTL"]

TTL = TTLCache
