"""An entry: a value with its metadata, as it lives in memory and travels between tiers."""

from __future__ import annotations

import math
import os
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "HEAD_BYTES",
    "MIN_VALUE_BYTES",
    "NO_TAGS",
    "TOKEN_BYTES",
    "TOMBSTONE_LIFETIME_S",
    "TOMBSTONE_MAGIC",
    "Entry",
    "deleted_at",
    "is_tombstone",
    "make_tombstone",
]

TOKEN_BYTES = 48
"""A record is identified by its first 48 bytes, which end with the checksum of all the rest: that
is what a compare-and-set compares, without moving the payload."""

HEAD_BYTES = 112
"""So many bytes of a record say when it was written and as of when it holds."""

MIN_VALUE_BYTES = 128
"""The smallest limit on records: the header alone has 112 bytes, and a tombstone must fit."""

TOMBSTONE_MAGIC = b"\x89TCT"
"""How the mark of a deletion begins; the instant in microseconds and random bytes follow. See
`contracts.Tier.delete`."""

_INSTANT = struct.Struct("<q")

TOMBSTONE_LIFETIME_S = 3600.0
"""How long a deletion is remembered where a late fill could still come from another process. A
fill that takes longer than an hour is the documented limit of that protection."""


NO_TAGS: Mapping[str, int] = {}


class Entry:
    """A value with its metadata.

    Instants are wall-clock seconds since the epoch, `math.inf` where there is no limit. An entry
    is never changed after it was made, so it may be read from any thread.

    Args:
        value: What the caller stored.
        created_s: When it was written.
        fresh_until_s: Until when it is served as is.
        stale_until_s: Until when it may be served while it is refreshed; at least `fresh_until_s`.
        cost_s: The seconds that computing the value took, 0.0 where nobody measured.
        tags: The tags it was stored under, each with its version of that time.
        lead_s: Seconds between the moment when computing it began and `created_s`; 0.0 for a value
            that was set. What it says is as of that moment.
        generation: The namespace's generation that it was written in.
        size_bytes: The size of its record, or an estimate where no tier needed one.
    """

    __slots__ = (
        "cost_s",
        "created_s",
        "fresh_until_s",
        "generation",
        "lead_s",
        "size_bytes",
        "stale_until_s",
        "tags",
        "value",
    )

    def __init__(
        self,
        value: Any,
        *,
        created_s: float,
        fresh_until_s: float = math.inf,
        stale_until_s: float | None = None,
        cost_s: float = 0.0,
        lead_s: float = 0.0,
        tags: Mapping[str, int] = NO_TAGS,
        generation: int = 0,
        size_bytes: int = 0,
    ) -> None:
        self.value = value
        self.created_s = created_s
        self.fresh_until_s = fresh_until_s
        self.stale_until_s = fresh_until_s if stale_until_s is None else stale_until_s
        self.cost_s = cost_s
        self.lead_s = lead_s
        self.tags = tags
        self.generation = generation
        self.size_bytes = size_bytes

    @property
    def grace_s(self) -> float:
        """Seconds between the end of freshness and the end of the entry."""
        return 0.0 if math.isinf(self.fresh_until_s) else self.stale_until_s - self.fresh_until_s


def make_tombstone(now_s: float) -> bytes:
    """A mark that takes the place of a record when its key is deleted; no two are the same.

    Args:
        now_s: The wall clock's time.
    """
    start = TOMBSTONE_MAGIC + _INSTANT.pack(int(now_s * 1e6))
    return start + os.urandom(TOKEN_BYTES - len(start))


def is_tombstone(stored: bytes) -> bool:
    """Whether what a tier stores for a key says that the key was deleted."""
    return stored.startswith(TOMBSTONE_MAGIC)


def deleted_at(tombstone: bytes) -> float:
    """When the key was deleted, in seconds of the clock of the host that did it."""
    (microseconds,) = _INSTANT.unpack_from(
        tombstone.ljust(TOKEN_BYTES, b"\0"), len(TOMBSTONE_MAGIC)
    )
    return float(microseconds) / 1e6
