"""The records of one entry, encoded when a tier first needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache.errors import SerializationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tiered_cache._engine.level import Level
    from tiered_cache._engine.stack import Stack
    from tiered_cache.contracts import Reach
    from tiered_cache.entry import Entry

__all__ = ["Records"]


_UNCHANGEABLE = frozenset({str, bytes, int, float, bool, complex, type(None)})
"""Types of values that nobody can change, so that they may be encoded later."""


class Records:
    """The records of one entry, encoded once for as wide a reach as its tiers need and allow."""

    __slots__ = ("_key", "_made", "_stack", "_widest_reach", "entry")

    def __init__(self, stack: Stack, key: str, entry: Entry) -> None:
        self.entry = entry
        self._stack = stack
        self._key = key
        self._made: dict[Reach, bytes | str] = {}
        self._widest_reach = stack.widest_reach

    def measure(self) -> None:
        """Tell the entry the size of its record, which tiers that hold entries count by."""
        if self._widest_reach is not None:
            record = self._of(self._widest_reach)
            self.entry.size_bytes = len(record) if isinstance(record, bytes) else 0

    def item(self, level: Level) -> Entry | bytes | str:
        """What `level` is given, or a `str` that says why it can't have it."""
        return self._of(level.tier.reach) if level.holds_records else self.entry

    def settle(self, levels: Iterable[Level]) -> list[Level]:
        """Encode now, unless the value is of a type that can't be changed; those of `levels` that take it.

        What a caller does to the value from now on changes nothing in what they are given.
        """
        levels = [*levels]
        if type(self.entry.value) in _UNCHANGEABLE:
            return levels
        return self.takers(levels)

    def takers(self, levels: Iterable[Level]) -> list[Level]:
        """Those of `levels` that take the value; it is encoded for them."""
        takers = [level for level in levels if not isinstance(self.item(level), str)]
        self.measure()
        return takers

    def any_record(self) -> bytes | None:
        """A record that was made, if one was."""
        return next((each for each in self._made.values() if isinstance(each, bytes)), None)

    def settled_for(self, level: Level) -> Entry | bytes:
        """What `level` will be given: the record, if it was encoded."""
        made = self._find(level.tier.reach) if level.holds_records else None
        return self.entry if made is None else made

    def settled(self) -> Entry:
        """The entry as it was when it was encoded; it is decoded again."""
        record = self.any_record()
        return self.entry if record is None else self._stack.codec.decode(self._key, record)

    def _of(self, reach: Reach) -> bytes | str:
        record = self._find(reach)
        if record is not None:
            return record
        if reach not in self._made:
            try:
                self._made[reach] = self._stack.encode(self._key, self.entry, reach)
            except SerializationError as error:
                self._made[reach] = error.message
        return self._made[reach]

    def _find(self, reach: Reach) -> bytes | None:
        """A record that can be read wherever a tier of `reach` is shared, if there is one yet."""
        for made_for, record in self._made.items():
            if made_for >= reach and isinstance(record, bytes):
                return record
        return None
