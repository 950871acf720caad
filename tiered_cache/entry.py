"""An entry: a value with its metadata, in memory and between tiers; and tombstones."""

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
    "as_of_us",
    "deleted_at",
    "is_tombstone",
    "make_tombstone",
    "make_voucher",
    "rounded_lead",
    "vouched_for",
    "whole_microseconds",
]

TOKEN_BYTES = 48
"""The first 48 bytes identify a record: they end with the checksum of all the rest. A compare-and-set
compares them without moving the payload."""

HEAD_BYTES = 112
"""The size of the header of a record: its first bytes, which contain all of its instants."""

MIN_VALUE_BYTES = 128
"""The smallest limit on records: the header alone has 112 bytes, and a tombstone must fit."""

TOMBSTONE_MAGIC = b"\x89TCT"
"""The first bytes of a tombstone. The instant in microseconds and random bytes follow. See
`contracts.Tier.delete`."""

_INSTANT = struct.Struct("<q")
_SINGLE = struct.Struct("<f")

TOMBSTONE_LIFETIME_S = 3600.0
"""The lifetime of a tombstone in seconds. It refuses late fills of other processes; a fill that takes
longer than an hour is the documented limit of this protection."""


NO_TAGS: Mapping[str, int] = {}


class Entry:
    """A value with its metadata.

    Instants are wall-clock seconds since the epoch, `math.inf` for no limit. An entry is never
    changed after its construction, so any thread may read it.

    Args:
        value: The stored value.
        created_s: The instant of the write.
        fresh_until_s: The instant until which it is served without a refresh.
        stale_until_s: The instant until which it may be served during a refresh; at least
            `fresh_until_s`.
        cost_s: The seconds that computing the value took, 0.0 if they were not measured.
        tags: The tags of the value, each with its tag version at the write.
        lead_s: Seconds from the start of the computation to `created_s`; 0.0 for a value that was
            set. The value reflects its inputs as of that start.
        generation: The namespace's generation at the write.
        size_bytes: The size of its record, or an estimate if no tier needed a record.

    Attributes:
        head: The first bytes of its record, where a shared tier keeps no change log: by them the entry
            is compared with the tier. Else empty.
    """

    __slots__ = (
        "cost_s",
        "created_s",
        "fresh_until_s",
        "generation",
        "head",
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
        self.value: Any = value
        self.created_s: float = created_s
        self.fresh_until_s: float = fresh_until_s
        self.stale_until_s: float = fresh_until_s if stale_until_s is None else stale_until_s
        self.cost_s: float = cost_s
        self.lead_s: float = lead_s
        self.tags: Mapping[str, int] = tags
        self.generation: int = generation
        self.size_bytes: int = size_bytes
        self.head: bytes = b""

    @property
    def lifetime_s(self) -> float:
        """Seconds between the writing of the entry and its end, staleness included."""
        return self.stale_until_s - self.created_s

    @property
    def grace_s(self) -> float:
        """Seconds between the end of freshness and the end of the entry."""
        return 0.0 if math.isinf(self.fresh_until_s) else self.stale_until_s - self.fresh_until_s


def whole_microseconds(instant_s: float) -> int:
    """An instant in microseconds, never rounded up (law 3); reads back to the same number."""
    microseconds = round(instant_s * 1e6)
    return microseconds if microseconds / 1e6 <= instant_s else microseconds - 1


def rounded_lead(lead_s: float) -> float:
    """A lead in single precision, as records hold it: rounded up, so that no value seems newer."""
    (rounded,) = _SINGLE.unpack(_SINGLE.pack(lead_s))
    if rounded < lead_s:
        (rounded,) = _SINGLE.unpack(_SINGLE.pack(lead_s * (1 + 2**-22) + 1e-44))
    return float(rounded)


def as_of_us(entry: Entry) -> int:
    """The instant as of which a value holds, in microseconds: the same for each copy of the entry."""
    return whole_microseconds(entry.created_s) - round(entry.lead_s * 1e6)


def make_tombstone(now_s: float) -> bytes:
    """A tombstone, which replaces the record of a deleted key. No two are equal.

    Args:
        now_s: The time of the wall clock.
    """
    start = TOMBSTONE_MAGIC + _INSTANT.pack(whole_microseconds(now_s))
    return start + os.urandom(TOKEN_BYTES - len(start))


def make_voucher(entry: Entry) -> bytes:
    """A tombstone that vouches for a value: its tier does not take the value, and tiers above hold it.

    Its instant is negative, so that no deletion of the same instant can be taken for it.
    """
    return make_tombstone(-as_of_us(entry) / 1e6)


def vouched_for(deleted_s: float) -> int | None:
    """The instant of the value that a tombstone vouches for, as of `as_of_us`; else `None`."""
    return whole_microseconds(-deleted_s) if -math.inf < deleted_s < 0 else None


def is_tombstone(stored: bytes) -> bool:
    """Whether the stored bytes of a key are a tombstone."""
    return stored.startswith(TOMBSTONE_MAGIC)


def deleted_at(tombstone: bytes) -> float:
    """The instant of the deletion, in seconds of the clock of the deleting host."""
    (microseconds,) = _INSTANT.unpack_from(
        tombstone.ljust(TOKEN_BYTES, b"\0"), len(TOMBSTONE_MAGIC)
    )
    return float(microseconds) / 1e6
