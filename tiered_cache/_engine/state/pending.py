"""One change in the write-back queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache._engine.state.entry_records import EntryRecords
    from tiered_cache.contracts import JournalRow
    from tiered_cache.entry import Entry

__all__ = ["Pending"]


class Pending:
    """One queued change: of a key, or a clear of all keys with a prefix.

    Attributes:
        key: The key or prefix.
        entry: The value; `None` for a deletion.
        records: Its records, which preserve the value as it was when it was queued.
        as_of_s: The wall-clock instant of the change: it yields to a newer one.
        levels: The tiers that it has not reached, in the order in which they are written.
        tokens: For a fill, the token that each tier must still hold; `None` for a change.
        row: Its row in the journal, if it is journaled.
        since_s: The monotonic instant at which the key was first queued.
        touched_s: The monotonic instant of the last change of the key.
        retry_s: The monotonic instant from which it may be retried.
        tries: How often it did not land.
        attempts: How many of these a healthy tier refused.
        trouble: Why the last attempt failed.
        insists: Whether it is written even where the key's later history is unknown.
        unread: Whether readers must not get it yet: the tiers may hold a newer value.
    """

    __slots__ = (
        "as_of_s",
        "attempts",
        "entry",
        "insists",
        "key",
        "levels",
        "records",
        "retry_s",
        "row",
        "since_s",
        "tokens",
        "touched_s",
        "tries",
        "trouble",
        "unread",
    )

    def __init__(
        self,
        key: str,
        entry: Entry | None,
        as_of_s: float,
        levels: tuple[int, ...],
        *,
        records: EntryRecords | None = None,
        tokens: Sequence[object] | None = None,
        row: JournalRow | None = None,
        insists: bool = False,
        unread: bool = False,
    ) -> None:
        self.key = key
        self.entry = entry
        self.records = records
        self.as_of_s = as_of_s
        self.levels = levels
        self.tokens = tokens
        self.row = row
        self.insists = insists
        self.unread = unread
        self.since_s = self.touched_s = self.retry_s = 0.0
        self.tries = self.attempts = 0
        self.trouble = ""
