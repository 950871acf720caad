"""The codec: entries to records, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tiered_cache.contracts.tier import Reach
    from tiered_cache.entry import Entry

__all__ = [
    "Codec",
]


class Codec(Protocol):
    """Turns entries into records and back. Thread-safe; does no I/O."""

    def encode(self, key: str, entry: Entry, reach: Reach) -> bytes:
        """The record of `entry`, readable wherever a tier of `reach` is shared.

        Raises:
            SerializationError: The value can't be written under the rules for `reach`; the
                message says what to do.
        """
        ...

    def decode(self, key: str, record: bytes) -> Entry:
        """The entry of a record that some tier held for `key`.

        Raises:
            RecordError: The bytes are corrupt, foreign, unsigned or of an unknown format.
        """
        ...

    def as_of(self, record: bytes) -> float:
        """As of when a record's value holds, in wall-clock seconds, by its unverified header.

        `-inf` for bytes that are no record.
        """
        ...

    def fingerprint(self, value: object) -> bytes:
        """A digest that changes when `value` is changed."""
        ...
