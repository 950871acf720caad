"""What a tier's answer to a read means: a hit, a stale hit, a miss, an error or a skip."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache._engine.effects import OK, SKIPPED, UNREADABLE, Reply
from tiered_cache.contracts import Absent, Found
from tiered_cache.entry import Entry
from tiered_cache.errors import RecordError, SignatureError, UnsupportedRecordError

if TYPE_CHECKING:
    from tiered_cache._engine.level import Level
    from tiered_cache.contracts import Codec

__all__ = ["SKEW_ALLOWANCE_S", "UNKNOWN", "Finding", "judge"]

SKEW_ALLOWANCE_S = 5.0
"""How far the clocks of two hosts may be apart before a record counts as coming from the future."""

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
        *,
        record: bytes | None = None,
        corrupt: bool = False,
        worthless: bool = False,
    ) -> None:
        self.outcome = outcome
        self.token = token
        self.why = why
        self.entry: Entry | None = None
        self.record = record
        self.size_bytes = 0 if record is None else len(record)
        self.corrupt = corrupt
        self.worthless = worthless
        self.age_s = self.fresh_s = self.gone_s = self.seconds = 0.0


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
    if isinstance(item, Entry):
        entry, record, size_bytes = item, None, item.size_bytes
    else:
        try:
            entry = codec.decode(key, item)
        except RecordError as error:
            why = f"{type(error).__name__}: {error.message}"
            worthless = not isinstance(error, UnsupportedRecordError | SignatureError)
            return Finding("misses", token, why, record=item, corrupt=True, worthless=worthless)
        record, size_bytes = item, len(item)
    now_s = reply.now_s
    gone_s = min(remaining_s, entry.stale_until_s - now_s)
    why = _unusable(level, entry, now_s, gone_s)
    if why:
        return Finding("misses", token, why, record=record)
    fresh_s = min(remaining_s - entry.grace_s, entry.fresh_until_s - now_s)
    finding = Finding("hits" if fresh_s > 0 else "stale_hits", token)
    finding.entry = entry
    finding.record = record
    finding.size_bytes = size_bytes
    finding.age_s = max(0.0, now_s - entry.created_s)
    finding.fresh_s = max(0.0, fresh_s)
    finding.gone_s = gone_s
    finding.seconds = reply.seconds
    return finding


def _unusable(level: Level, entry: Entry, now_s: float, gone_s: float) -> str:
    """Why a readable entry must not be served."""
    if gone_s <= 0:
        return "expired"
    if entry.created_s > now_s + SKEW_ALLOWANCE_S:
        return "written in the future by this host's clock"
    if entry.created_s <= level.suspects.not_before_s:
        return "older than changes that this tier missed"
    return ""
