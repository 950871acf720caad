"""The records of one entry, encoded when a tier first needs them."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Protocol, TypeVar

from tiered_cache.contracts import TOKEN_BYTES
from tiered_cache.errors import SerializationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tiered_cache.contracts import Codec, Reach
    from tiered_cache.entry import Entry

__all__ = ["Encoder", "EntryRecords", "Holder"]


_IMMUTABLE = frozenset({str, bytes, int, float, bool, complex, type(None)})
"""Types of values that no caller can change, so that they may be encoded later."""


class Holder(Protocol):
    """A tier as far as encoding matters."""

    @property
    def reach(self) -> Reach:
        """The processes that share the tier."""
        ...

    @property
    def holds_records(self) -> bool:
        """Whether the tier holds bytes (true) or live entries (false)."""
        ...

    @property
    def max_item_bytes(self) -> int | None:
        """The longest record that the tier takes; `None` if the tier decides by itself."""
        ...


HolderT = TypeVar("HolderT", bound=Holder)


class Encoder:
    """The codec of a stack, with its times counted.

    Args:
        codec: The codec.
        count: Takes the seconds of each encoding; `None` where they are not counted.
        holders: The tiers that entries are encoded for.
        marks: Whether an entry keeps the head of its record.
    """

    def __init__(
        self,
        codec: Codec,
        count: Callable[[float], None] | None,
        holders: Sequence[Holder],
        *,
        marks: bool = False,
    ) -> None:
        self.decode = codec.decode
        self.widest_reach: Reach | None = max(
            (each.reach for each in holders if each.holds_records), default=None
        )
        """The widest reach of a tier that holds records; `None` where none does."""
        self._encode = codec.encode
        self._marks = marks
        self._count = count

    def encode(self, key: str, entry: Entry, reach: Reach) -> bytes:
        """The record of an entry; raises as `Codec.encode` does."""
        if self._count is None:
            record = self._encode(key, entry, reach)
        else:
            started = perf_counter()
            record = self._encode(key, entry, reach)
            self._count(perf_counter() - started)
        if self._marks:
            entry.head = record[:TOKEN_BYTES]
        return record


class EntryRecords:
    """The records of one entry, each encoded once, for the widest reach needed and allowed."""

    __slots__ = ("_encoder", "_key", "_made", "entry")

    def __init__(self, encoder: Encoder, key: str, entry: Entry) -> None:
        self.entry = entry
        self._encoder = encoder
        self._key = key
        self._made: dict[Reach, bytes | str] = {}

    def measure(self) -> None:
        """Set the entry's size to that of its record, for tiers that hold entries."""
        reach = self._encoder.widest_reach
        if reach is not None:
            record = self._of(reach)
            self.entry.size_bytes = len(record) if isinstance(record, bytes) else 0

    def item(self, holder: Holder) -> Entry | bytes | str:
        """The item for a tier, or a `str` that says why the tier can't have it."""
        if not holder.holds_records:
            return self.entry
        record, most = self._of(holder.reach), holder.max_item_bytes
        if most is not None and isinstance(record, bytes) and len(record) > most:
            return f"the record has {len(record)} bytes: expected at most {most}, the tier's max_item_bytes"
        return record

    def settle(self, holders: Iterable[HolderT]) -> list[HolderT]:
        """Encode now, unless the value is immutable; the `holders` that take it.

        Changes that a caller makes to the value afterwards don't reach the tiers.
        """
        holders = [*holders]
        if type(self.entry.value) in _IMMUTABLE:
            return holders
        return self.takers(holders)

    def takers(self, holders: Iterable[HolderT]) -> list[HolderT]:
        """Those of `holders` that take the value; it is encoded for them."""
        takers = [each for each in holders if not isinstance(self.item(each), str)]
        self.measure()
        return takers

    def any_record(self) -> bytes | None:
        """One of the records that were made; `None` if none was."""
        return next((each for each in self._made.values() if isinstance(each, bytes)), None)

    def settled_for(self, holder: Holder) -> Entry | bytes:
        """The item that a tier will get: the record if it was encoded, else the entry."""
        made = self._find(holder.reach) if holder.holds_records else None
        return self.entry if made is None else made

    def settled(self) -> Entry:
        """The entry as it was when it was encoded, decoded again."""
        record = self.any_record()
        return self.entry if record is None else self._encoder.decode(self._key, record)

    def _of(self, reach: Reach) -> bytes | str:
        record = self._find(reach)
        if record is not None:
            return record
        if reach not in self._made:
            try:
                self._made[reach] = self._encoder.encode(self._key, self.entry, reach)
            except SerializationError as error:
                self._made[reach] = error.message
        return self._made[reach]

    def _find(self, reach: Reach) -> bytes | None:
        """A record that is readable wherever a tier of `reach` is shared, if one was made."""
        for made_for, record in self._made.items():
            if made_for >= reach and isinstance(record, bytes):
                return record
        return None
