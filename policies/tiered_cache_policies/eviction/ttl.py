"""TTL, as `cachetools` has it: LRU that also drops what is older than `ttl`.

`TTL(maxsize, ttl, timer=time.monotonic, getsizeof=None)`. It needs a `ttl`, in the unit of
`timer`, which is one limit for every entry; an entry's own lifetime is the tier's business and
needs no policy. Entries past `ttl` are dropped without `popitem()`, so nobody counts them as
evictions.
"""

from __future__ import annotations

from cachetools import TTLCache

__all__ = ["TTL"]

TTL = TTLCache
