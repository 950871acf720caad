"""What operations report: the result of a lookup, of a write, and the explanation of a key."""

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
    """The outcome of a lookup, of one tier or of a whole stack.

    The five are never confused with each other, nor with a stored `None`. The same words are used by
    results, events, tracers and counters. A whole stack never ends with `SKIP`.
    """

    HIT = "hit"
    """A fresh value was found."""
    STALE_HIT = "stale_hit"
    """A value was found that is past its freshness but not yet gone."""
    STALE = STALE_HIT
    """Another name of `STALE_HIT`."""
    MISS = "miss"
    """Every tier was asked, and none holds the key."""
    ERROR = "error"
    """No tier that answered holds the key, but at least one failed or was skipped."""
    SKIP = "skip"
    """The tier was not asked: its breaker is open, or its copy is outdated."""

    @property
    def counter(self) -> str:
        """The field of `TierStats` that counts it, such as `"stale_hits"`."""
        return "misses" if self is LookupStatus.MISS else f"{self.value}s"


class Lookup(NamedTuple):
    """The answer of `TieredCache.lookup`.

    Attributes:
        status: How the lookup ended.
        value: The stored value for a hit or a stale hit, else `None`.
        tier: The name of the tier that answered, `None` for a miss or an error.
        age_s: Seconds since the value was written, by this host's clock; never negative.
        remaining_s: Seconds for which the value stays fresh; `inf` without a limit, 0.0 when stale.
        cost_s: The seconds that computing the value once took; 0.0 where nobody measured.
        tags: The tags it is stored under.
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
    """What became of a write in one tier."""

    WRITTEN = "written"
    """The tier holds it."""
    QUEUED = "queued"
    """It will be written later, at the durability that the write policy promised."""
    REFUSED = "refused"
    """A healthy tier does not take this record: too large, not serializable, or overtaken."""
    FAILED = "failed"
    """The tier could not be reached or broke; what it held for the key is no longer served."""
    SKIPPED = "skipped"
    """The write policy or the tier's admission policy leaves this tier out."""


class TierWrite(NamedTuple):
    """What became of a write in one tier, and why."""

    tier: str
    outcome: WriteOutcome
    reason: str = ""


class WriteResult(NamedTuple):
    """What a write did, tier by tier, fastest tier first. It is true when no tier failed."""

    tiers: tuple[TierWrite, ...]

    def __bool__(self) -> bool:
        return all(each.outcome is not WriteOutcome.FAILED for each in self.tiers)

    @property
    def stored(self) -> bool:
        """Whether at least one tier holds the value."""
        return any(each.outcome is WriteOutcome.WRITTEN for each in self.tiers)


class Explanation(NamedTuple):
    """What one tier says of one key; `TieredCache.explain` gives one for each tier.

    Attributes:
        tier: The tier's name.
        present: Whether a lookup would be answered here.
        age_s: Seconds since the value was written, where there is one.
        remaining_s: Seconds for which it stays fresh, `inf` without a limit.
        bytes: The size of the record.
        why: Why it is not present, or what is special about it.
        cost_s: The seconds that computing the value once took, where there is one.
        tags: The tags it is stored under.
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
    """A queued write on disk, that some tier does not have yet; `TieredCache.journal` lists them.

    Attributes:
        key: The key.
        deletes: Whether it is a deletion.
        bytes: The size of the record, 0 for a deletion.
        since_s: When it was made, wall clock.
        trouble: Why it was given up and is parked; `""` while it is still tried.
        owner: `"this"`, `"other"` or `"dead"`: the process that keeps it.
        clears: Whether it is a deletion of all keys that begin with `key`.
    """

    key: str
    deletes: bool
    bytes: int
    since_s: float
    trouble: str
    owner: str
    clears: bool = False
