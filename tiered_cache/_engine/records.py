"""The records of one entry, encoded when a tier first needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache.errors import SerializationError

if TYPE_CHECKING:
    from tiered_cache._engine.level import Level
    from tiered_cache._engine.stack import Stack
    from tiered_cache.contracts import Reach
    from tiered_cache.entry import Entry

__all__ = ["Records"]


class Records:
    """The records of one entry, encoded once for as wide a reach as its tiers need and allow."""

    def __init__(self, stack: Stack, key: str, entry: Entry) -> None:
        self._encode = stack.encode
        self._key = key
        self._entry = entry
        self._made: dict[Reach, bytes | str] = {}
        self._widest_reach = stack.widest_reach

    def measure(self) -> None:
        """Tell the entry the size of its record, which tiers that hold entries count by."""
        if self._widest_reach is not None:
            record = self._of(self._widest_reach)
            self._entry.size_bytes = len(record) if isinstance(record, bytes) else 0

    def item(self, level: Level) -> Entry | bytes | str:
        """What `level` is given, or a `str` that says why it can't have it."""
        return self._of(level.tier.reach) if level.holds_records else self._entry

    def _of(self, reach: Reach) -> bytes | str:
        for made_for, record in self._made.items():
            if made_for >= reach and isinstance(record, bytes):
                return record
        if reach not in self._made:
            try:
                self._made[reach] = self._encode(self._key, self._entry, reach)
            except SerializationError as error:
                self._made[reach] = error.message
        return self._made[reach]
