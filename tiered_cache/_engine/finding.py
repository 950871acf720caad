"""What a tier's answer to a read means: a hit, a stale hit, a miss, an error or a skip."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache._engine.effects import OK, SKIPPED, UNREADABLE, Reply
from tiered_cache.clock import SKEW_ALLOWANCE_S
from tiered_cache.contracts import Absent, Found
from tiered_cache.entry import Entry
from tiered_cache.errors import RecordError, SignatureError, UnsupportedRecordError

if TYPE_CHECKING:
    from tiered_cache._engine.level import Level
    from tiered_cache.contracts import Codec

__all__ = ["UNKNOWN", "Finding", "judge"]

UNKNOWN = object()
"""The token of a tier that did not answer: nothing may be filled into it."""


class Finding:
    """One tier's part in a lookup.

    Attributes:
        outcome: The counter that it adds to: `hits`, `stale_hits`, `misses`, `errors`, `skips`.
        token: What a fill of this tier must still find.
        entry: The decoded entry of a hit or a stale hit.
        record: Its bytes, where the tier holds bytes.
        size_bytes: The size of what was found.
        cost_s: The seconds that computing it took.
        age_s: Seconds since it was written, by this host's clock; never negative.
        fresh_s: Seconds for which it stays fresh.
        gone_s: Seconds after which it must not be served at all.
        seconds: How long reading it took.
        corrupt: Whether the tier holds bytes that can't be used here.
        worthless: Whether nobody can use them, so that they are to be removed. Bytes of a newer
            release, or with a type or signature that is not known here, may be of use to others.
        why: Why it is not a hit, for people.
    """

    __slots__ = (
        "age_s",
        "corrupt",
        "cost_s",
        "entry",
        "fresh_s",
        "gone_s",
        "outcome",
        "record",
        "seconds",
        "size_bytes",
        "token",
        "why",
        "worthless",
    )

    def __init__(
        self,
        outcome: str,
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
        self.outcome = outcome
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


def judge(level: Level, codec: Codec, key: str, reply: Reply) -> Finding:
    """What `reply` to a read of `key` means.

    A lifetime is the smaller of what the record says by this host's clock and what the tier says
    by its own: so neither a skewed clock nor a tier without one can lengthen it (law 3).
    """
    if reply.status != OK:
        if reply.status == UNREADABLE:
            return Finding("misses", why=reply.reason, corrupt=True, worthless=True)
        return Finding("skips" if reply.status == SKIPPED else "errors", why=reply.reason)
    found = reply.value
    if type(found) is Absent:
        return Finding("misses", found.token, "not there")
    if type(found) is not Found:
        return Finding("errors", why=f"the tier answered with a {type(found).__name__}")
    item, remaining_s, token = found
    record: bytes | None = None
    if isinstance(item, Entry):
        entry, size_bytes = item, item.size_bytes
    else:
        record, size_bytes = item, len(item)
        try:
            entry = codec.decode(key, record)
        except RecordError as error:
            why = f"{type(error).__name__}: {error.message}"
            worthless = not isinstance(error, UnsupportedRecordError | SignatureError)
            return Finding(
                "misses",
                token,
                why,
                record=record,
                size_bytes=size_bytes,
                corrupt=True,
                worthless=worthless,
            )
    # In place, without min() and max(): every hit outside memory comes through here.
    now_s, created_s = reply.now_s, entry.created_s
    gone_s = entry.stale_until_s - now_s
    fresh_s = entry.fresh_until_s - now_s
    if remaining_s < gone_s:
        gone_s = remaining_s
        if remaining_s - entry.grace_s < fresh_s:
            fresh_s = remaining_s - entry.grace_s
    if (
        gone_s <= 0
        or created_s > now_s + SKEW_ALLOWANCE_S
        or created_s <= level.suspects.not_before_s
    ):
        why = _unusable(entry, now_s, gone_s)
        size_bytes = 0 if record is None else size_bytes
        return Finding("misses", token, why, record=record, size_bytes=size_bytes)
    age_s = now_s - created_s
    return Finding(  # by position, for the same reason
        "hits" if fresh_s > 0 else "stale_hits",
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


def _unusable(entry: Entry, now_s: float, gone_s: float) -> str:
    """Why a readable entry must not be served."""
    if gone_s <= 0:
        return "expired"
    if entry.created_s > now_s + SKEW_ALLOWANCE_S:
        return "written in the future by this host's clock"
    return "older than changes that this tier missed"
