"""The codec: encodes entries as records, and decodes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tiered_cache.contracts.tier import Reach
    from tiered_cache.entry import Entry

__all__ = ["Codec"]


class Codec(Protocol):
    """Encodes entries as records, and decodes them.

    The engine guarantees that `record` is bytes that a tier held, and nothing more: they may be
    hostile. The implementer must be thread-safe, do no I/O, and raise nothing but the errors below.
    """

    def encode(self, key: str, entry: Entry, reach: Reach) -> bytes:
        """The record of `entry`, readable by all processes that share a tier of `reach`.

        Raises:
            SerializationError: The value can't be encoded under the rules for `reach`. The message
                names the remedy.
        """
        ...

    def decode(self, key: str, record: bytes) -> Entry:
        """The entry in a record that a tier held for `key`.

        Raises:
            RecordError: The bytes are corrupt, foreign, unsigned or of an unknown format.
        """
        ...

    def as_of(self, record: bytes) -> float:
        """The wall-clock instant at which computing the value began, from the unverified header.

        For a value that was set, the instant of the write; `-inf` for bytes that are not a record.
        """
        ...

    def is_computed(self, record: bytes) -> bool:
        """Whether the value was computed and not set, from the unverified header."""
        ...

    def fingerprint(self, value: object) -> bytes:
        """A digest of `value`, which changes when a caller changes the value in place.

        Raises:
            SerializationError: The value can't be encoded.
        """
        ...
