"""Lists and counts of records that have not expired."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiered_cache.tiers.disk._database import BoundedCache

__all__ = ["BATCH_KEYS", "TOMBSTONE_TAG", "count_records", "keys_after"]

TOMBSTONE_TAG = "tombstone"
"""Marks the rows of tombstones, so that they are counted and listed without a look at the data."""

BATCH_KEYS = 500
"""Keys in one page of a listing, and in one transaction of a clear."""

_SELECT_KEYS = (
    "SELECT key, tag FROM Cache WHERE raw = 1 AND key > ? AND key >= ?"
    " AND (expire_time IS NULL OR expire_time > ?) ORDER BY key LIMIT ?"
)
_COUNT_HIDDEN = (
    "SELECT (SELECT count(*) FROM Cache WHERE expire_time <= ?)"
    " + (SELECT count(*) FROM Cache WHERE tag = ? AND expire_time > ?)"
)


def keys_after(cache: BoundedCache, last: str, prefix: str) -> list[tuple[str, bool]]:
    """A page of the keys after `last` that begin with `prefix`, in order.

    Returns:
        Each key, and whether it was deleted, so that its row is a tombstone. Shorter than `BATCH_KEYS` only at the end.
    """
    rows = cache.sql(_SELECT_KEYS, (last, prefix, cache.wall(), BATCH_KEYS)).fetchall()
    # Python compares the prefix: SQLite's text functions end at a NUL.
    known = [(key, tag == TOMBSTONE_TAG) for key, tag in rows if type(key) is str]
    return list(itertools.takewhile(lambda row: row[0].startswith(prefix), known))


def count_records(cache: BoundedCache) -> int:
    """The number of records, without tombstones; costs a walk over the expired ones in an index."""
    now_s = cache.wall()
    ((hidden,),) = cache.sql(_COUNT_HIDDEN, (now_s, TOMBSTONE_TAG, now_s)).fetchall()
    return max(0, len(cache) - int(hidden))
