"""A tier's answer to a read, judged: a hit, a stale hit, a miss, an error or a skip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache._engine.effects import OK, SKIPPED, UNREADABLE, Reply
from tiered_cache.clock import SKEW_ALLOWANCE_S
from tiered_cache.contracts import UNKNOWN, Absent, Found
from tiered_cache.entry import Entry, is_tombstone, vouched_for
from tiered_cache.errors import RecordError, SignatureError, UnsupportedRecordError
from tiered_cache.results import LookupStatus

if TYPE_CHECKING:
    from tiered_cache.contracts import Codec

__all__ = ["Finding", "as_of", "judge"]

# Constants of the module are read faster than members of an enum, once for each tier and lookup.
_HIT, _STALE_HIT, _MISS = LookupStatus.HIT, LookupStatus.STALE_HIT, LookupStatus.MISS


class Finding:
    """One tier's part in a lookup.

    Attributes:
        status: The outcome in this tier.
        token: The token that a fill of this tier must still find.
        entry: The decoded entry of a hit or a stale hit.
        record: Its bytes, where the tier holds bytes.
        size_bytes: The size of the entry or record.
        cost_s: The seconds that computing it took.
        age_s: Seconds since it was written, by this host's clock; never negative.
        fresh_s: Seconds for which it stays fresh.
        gone_s: Seconds after which it must not be served at all.
        seconds: The duration of the read.
        corrupt: Whether the tier holds bytes that can't be used here.
        worthless: Whether no reader can use the item, so that it is removed. Bytes of a newer
            release, or with an unknown type or signature, may serve other readers.
        why: Why it is not a hit, for people.
    """

    __slots__ = (
        "age_s",
        "corrupt",
        "cost_s",
        "entry",
        "fresh_s",
        "gone_s",
        "record",
        "seconds",
        "size_bytes",
        "status",
        "token",
        "why",
        "worthless",
    )

    def __init__(
        self,
        status: LookupStatus,
        token: object = UNKNOWN,
        why: str = "",
        entry: Entry | None = None,
        record: bytes | None = None,
        size_bytes: int = 0,
        cost_s: float = 0.0,
        age_s: float = 0.0,
        fresh_s: float = 0.0,
        gone_s: float = 0.0,
        seconds: float = 0.0,
        corrupt: bool = False,
        worthless: bool = False,
    ) -> None:
        self.status = status
        self.token = token
        self.why = why
        self.entry = entry
        self.record = record
        self.size_bytes = size_bytes
        self.cost_s = cost_s
        self.age_s = age_s
        self.fresh_s = fresh_s
        self.gone_s = gone_s
        self.seconds = seconds
        self.corrupt = corrupt
        self.worthless = worthless


def judge(key: str, reply: Reply, codec: Codec, not_before_s: float) -> Finding:
    """The meaning of `reply` to a read of `key`.

    A lifetime is the smaller of the record's own, by this host's clock, and the tier's, by the
    tier's clock. So neither a skewed clock nor a tier without one can lengthen it (law 3).

    Args:
        key: The key.
        reply: The reply of one tier.
        codec: Decodes a record.
        not_before_s: The wall-clock instant up to which the tier's records are outdated.
    """
    if reply.status != OK:
        if reply.status == UNREADABLE:
            return Finding(_MISS, why=reply.reason, corrupt=True, worthless=True)
        skipped = reply.status == SKIPPED
        return Finding(LookupStatus.SKIP if skipped else LookupStatus.ERROR, why=reply.reason)
    found = reply.value
    if type(found) is Absent:
        return Finding(_MISS, found.token, "not there")
    if type(found) is not Found:
        why = f"the tier answered with a {type(found).__name__}"
        return Finding(LookupStatus.ERROR, why=why)
    item: Entry | bytes
    item, remaining_s, token = found
    record: bytes | None = None
    if isinstance(item, Entry):
        entry, size_bytes = item, item.size_bytes
    elif not isinstance(item, bytes):  # pyright: ignore[reportUnnecessaryIsInstance] # a wrong answer
        why = f"the tier answered with an item of type {type(item).__name__}"
        return Finding(LookupStatus.ERROR, why=why)
    else:
        record, size_bytes = item, len(item)
        try:
            entry = codec.decode(key, record)
        except RecordError as error:
            return _undecodable(error, token, record)
    # In place, without min() and max(): every hit outside memory passes here.
    now_s, created_s = reply.now_s, entry.created_s
    gone_s = entry.stale_until_s - now_s
    fresh_s = entry.fresh_until_s - now_s
    if remaining_s < gone_s:
        gone_s = remaining_s
        if remaining_s - entry.grace_s < fresh_s:
            fresh_s = remaining_s - entry.grace_s
    if gone_s <= 0 or created_s > now_s + SKEW_ALLOWANCE_S or created_s <= not_before_s:
        why = _unusable(entry, now_s, gone_s)
        size_bytes = 0 if record is None else size_bytes
        return Finding(_MISS, token, why, record=record, size_bytes=size_bytes)
    age_s = now_s - created_s
    return Finding(  # by position, for the same reason
        _HIT if fresh_s > 0 else _STALE_HIT,
        token,
        "",
        entry,
        record,
        size_bytes,
        entry.cost_s,
        age_s if age_s > 0 else 0.0,
        fresh_s if fresh_s > 0 else 0.0,
        gone_s,
        reply.seconds,
    )


def _undecodable(error: RecordError, token: object, record: bytes) -> Finding:
    if is_tombstone(record):  # of a tier that does not tell them from records
        return Finding(_MISS, token, "deleted")
    return Finding(
        _MISS,
        token,
        f"{type(error).__name__}: {error.message}",
        record=record,
        size_bytes=len(record),
        corrupt=True,
        worthless=not isinstance(error, UnsupportedRecordError | SignatureError),
    )


def _unusable(entry: Entry, now_s: float, gone_s: float) -> str:
    """Why a readable entry must not be served."""
    if gone_s <= 0:
        return "expired"
    if entry.created_s > now_s + SKEW_ALLOWANCE_S:
        return "written in the future by this host's clock"
    return "older than changes that this tier missed"


def as_of(codec: Codec, found: Found[Any] | Absent) -> float:
    """The wall-clock instant as of which a tier's record or tombstone holds."""
    if isinstance(found, Absent):
        vouched_us = vouched_for(found.deleted_s)
        return found.deleted_s if vouched_us is None else vouched_us / 1e6
    item = found.item
    return codec.as_of(item) if isinstance(item, bytes) else item.created_s - item.lead_s
