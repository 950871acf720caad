"""The results of operations: lookups, writes, explanations of keys and journal entries."""

from __future__ import annotations

import enum
from typing import Any, NamedTuple

__all__ = [
    "Explanation",
    "JournalEntry",
    "Lookup",
    "LookupStatus",
    "TierWrite",
    "WriteOutcome",
    "WriteResult",
]


class LookupStatus(enum.StrEnum):
    """The outcome of a lookup, in one tier or in a whole stack.

    Results, events, tracers and counters use the same five outcomes. A stored `None` is a hit. The
    outcome of a whole stack is never `SKIP`.
    """

    HIT = "hit"
    """A tier held a fresh value."""
    STALE_HIT = "stale_hit"
    """A tier held a value that is stale, but not yet gone."""
    STALE = STALE_HIT
    """Another name of `STALE_HIT`."""
    MISS = "miss"
    """Every tier was asked, and none held the key."""
    ERROR = "error"
    """No tier that answered held the key, and at least one failed or was skipped."""
    SKIP = "skip"
    """The tier was not asked, because its breaker is open or the key is outdated in it."""

    @property
    def counter(self) -> str:
        """The field of `TierStats` that counts this outcome, such as `"stale_hits"`."""
        return "misses" if self is LookupStatus.MISS else f"{self.value}s"


class Lookup(NamedTuple):
    """The result of `TieredCache.lookup`.

    Attributes:
        status: The outcome.
        value: The stored value for a hit or a stale hit, else `None`.
        tier: The name of the tier that answered; `None` for a miss or an error.
        age_s: Seconds since the value was written, by this host's clock; never negative.
        remaining_s: Seconds until the value is stale; `inf` without a limit, 0.0 if it is stale.
        cost_s: The seconds that computing the value took; 0.0 if they were not measured.
        tags: The tags of the value.
    """

    status: LookupStatus
    value: Any = None
    tier: str | None = None
    age_s: float = 0.0
    remaining_s: float = 0.0
    cost_s: float = 0.0
    tags: frozenset[str] = frozenset()

    @property
    def found(self) -> bool:
        """Whether there is a value, fresh or stale."""
        return self.status is LookupStatus.HIT or self.status is LookupStatus.STALE_HIT


class WriteOutcome(enum.StrEnum):
    """The outcome of a write in one tier."""

    WRITTEN = "written"
    """The tier holds the value."""
    QUEUED = "queued"
    """The value waits in the write-back queue, at the durability level of the write policy."""
    REFUSED = "refused"
    """The tier is healthy and refused the record: too large, not serializable, or overtaken."""
    FAILED = "failed"
    """The tier failed or was away. Its older value of the key is no longer served."""
    SKIPPED = "skipped"
    """The write policy or the tier's admission policy left the tier out."""


class TierWrite(NamedTuple):
    """The outcome of a write in one tier, with its reason.

    Attributes:
        tier: The tier's name.
        outcome: The outcome.
        reason: The reason; `""` where the outcome needs none.
    """

    tier: str
    outcome: WriteOutcome
    reason: str = ""


class WriteResult(NamedTuple):
    """The outcomes of a write, one for each tier, fastest tier first.

    True if no tier failed. A refused or skipped tier is not a failure.
    """

    tiers: tuple[TierWrite, ...]

    def __bool__(self) -> bool:
        return all(each.outcome is not WriteOutcome.FAILED for each in self.tiers)

    @property
    def stored(self) -> bool:
        """Whether at least one tier holds the value."""
        return any(each.outcome is WriteOutcome.WRITTEN for each in self.tiers)


class Explanation(NamedTuple):
    """The state of one key in one tier; `TieredCache.explain` returns one for each tier.

    Attributes:
        tier: The tier's name.
        present: Whether this tier would answer a lookup.
        age_s: Seconds since the value was written; `None` without a value.
        remaining_s: Seconds until the value is stale, `inf` without a limit; `None` without a value.
        bytes: The size of the record; `None` where it is unknown.
        why: The reason why the key is not present, or a remark on the value.
        cost_s: The seconds that computing the value took; `None` without a value.
        tags: The tags of the value.
    """

    tier: str
    present: bool
    age_s: float | None = None
    remaining_s: float | None = None
    bytes: int | None = None
    why: str = ""
    cost_s: float | None = None
    tags: frozenset[str] = frozenset()


class JournalEntry(NamedTuple):
    """A queued change in the journal, which some tier lacks; `TieredCache.journal` lists them.

    Attributes:
        key: The key.
        deletes: Whether the change is a deletion.
        bytes: The size of the record; 0 for a deletion.
        since_s: The wall-clock instant of the change.
        trouble: The reason why it is parked; `""` while it is in the queue.
        owner: The process that has it: `"this"`, `"other"` (alive) or `"dead"`.
        clears: Whether the change is a deletion of all keys that begin with `key`.
    """

    key: str
    deletes: bool
    bytes: int
    since_s: float
    trouble: str
    owner: str
    clears: bool = False
