"""The items of tiers, as they are written and found: the values that `Tier` takes and returns."""

from __future__ import annotations

import enum
import math
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from tiered_cache.entry import Entry

__all__ = ["ANY", "UNKNOWN", "Absent", "Found", "ItemT", "Put", "PutItem"]

ItemT = TypeVar("ItemT", bound="Entry | bytes")
"""The items of a tier: entries, or the bytes of records."""


class _Token(enum.Enum):
    ANY = "any"
    UNKNOWN = "unknown"


ANY = _Token.ANY
"""For `Put.expected`: store the item without a comparison."""

UNKNOWN = _Token.UNKNOWN
"""The token of a tier that compares none. The engine fills nothing into it, because nothing could
refuse a fill that comes late; `Put.expected` of a change may be this token, and means `ANY`."""


class Found(NamedTuple, Generic[ItemT]):
    """The answer of a tier that holds the key.

    Attributes:
        item: The entry, or the bytes of the record.
        remaining_s: Seconds until the tier removes the item, by the tier's own clock; `inf` where
            the tier keeps no time. The engine takes the smaller of this and the record's own
            lifetime.
        token: The generation of the key, for `Put.expected`. Opaque: only the tier
            that made it compares it.
    """

    item: ItemT
    remaining_s: float
    token: object


class Absent(NamedTuple):
    """The answer of a tier that does not hold the key.

    Attributes:
        token: The generation of the key: a fill with it lands only while the key is unchanged.
        deleted_s: The wall-clock instant of the key's deletion; `-inf` where the tier does not
            remember one.
    """

    token: object
    deleted_s: float = -math.inf


class Put(NamedTuple, Generic[ItemT]):
    """A write of one key.

    Attributes:
        item: An entry or the bytes of a record, according to `Tier.holds_records`.
        lifetime_s: Seconds to keep it, by the tier's own clock: more than 0; `inf` is no limit.
        expected: `ANY`, or a token: the item is stored only if the key is unchanged since the tier
            gave that token. Comparison and write are one atomic step for all users of the store.
        fill: Whether the item is a computed value or a copy from a tier below, not a change. A change
            log leaves fills out.
    """

    item: ItemT
    lifetime_s: float
    expected: object = ANY
    fill: bool = False


PutItem = Put
"""An earlier name of `Put`."""
