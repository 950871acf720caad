"""The envelope of a record: every byte around the payload.

`docs/reference/record-format.md` has the table of the fields. `seal` makes a record. `read_head`
reads one before its checksum is verified, `read_fields` afterwards.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import xxhash

from tiered_cache.entry import NO_TAGS, rounded_lead, whole_microseconds
from tiered_cache.errors import (
    CorruptRecordError,
    ForeignRecordError,
    SerializationError,
    UnsupportedRecordError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tiered_cache.entry import Entry

__all__ = [
    "HEADER_BYTES",
    "MAGIC",
    "PLAIN",
    "SERIALIZER_AUTO",
    "SERIALIZER_PICKLE",
    "VERSION",
    "Checksum",
    "Fields",
    "Head",
    "length_prefixed",
    "read_as_of",
    "read_fields",
    "read_head",
    "read_is_computed",
    "seal",
    "sealed_parts",
]

MAGIC = b"\x89TCR"
"""The first byte begins no text, so no text is mistaken for a record."""

VERSION = 1
SERIALIZER_AUTO = 1
SERIALIZER_PICKLE = 2
FLAG_SIGNED = 1
NO_KEY_ID = bytes(8)
_PADDING = bytes(16)

_HEAD = struct.Struct("<4sBBBB8s")
_FIELDS = struct.Struct("<qqqdQIIIfQ")
_pack_length = struct.Struct("<Q").pack
_FIELDS_AT = 48
HEADER_BYTES = _FIELDS_AT + _FIELDS.size
"""The size of the fixed part. The key, tags, dependencies and payload follow."""

_NO_LIMIT = 2**63 - 1
_INF = math.inf
_MICROSECONDS = 1_000_000
_MAX_CREATED_US = 253_402_300_800 * _MICROSECONDS
"""The year 10000: a later instant comes from a broken clock or from damaged bytes."""

_VIEW_FROM_BYTES = 16_384
"""The size from which a view of the bytes is cheaper than a copy."""

_encode_tags = msgspec.msgpack.Encoder().encode
_decode_tags = msgspec.msgpack.Decoder(list[tuple[str, int]]).decode


class Head(NamedTuple):
    """The part of a record that says how to verify the rest; not verified itself."""

    serializer: int
    signed: bool
    key_id: bytes


PLAIN = Head(SERIALIZER_AUTO, signed=False, key_id=NO_KEY_ID)


def _start_of(head: Head) -> bytes:
    return _HEAD.pack(MAGIC, VERSION, head.serializer, 0, int(head.signed), head.key_id)


_PLAIN_START = _start_of(PLAIN)

Fields = tuple[float, float, float, float, float, Mapping[str, int], int, bytes | memoryview]
"""Created, fresh until, stale until, cost, lead, tags, generation, payload. A plain tuple, because
making a named one costs a tenth of reading a small record."""


def seal(
    key: str,
    entry: Entry,
    payload: bytes,
    head: Head,
    checksum: Callable[[Iterable[bytes | memoryview]], bytes],
) -> bytes:
    """The record of `entry`.

    Args:
        key: The entry's key. The record repeats it.
        entry: The source of the metadata.
        payload: The serialized value.
        head: The serializer of the payload, and the id of the signing key.
        checksum: Makes the 32 bytes of the checksum or signature from the parts of the record.

    Raises:
        SerializationError: The metadata are out of range, so that `read_fields` would refuse them.
    """
    echo = key.encode("utf-8", "surrogatepass")
    try:
        tags = _encode_tags(sorted(entry.tags.items())) if entry.tags else b""
        first = _PLAIN_START if head is PLAIN else _start_of(head)
        fields = _FIELDS.pack(
            *_instants(entry),
            entry.generation,
            len(echo),
            len(tags),
            0,
            rounded_lead(entry.lead_s),
            len(payload),
        )
    except (struct.error, ValueError, TypeError, OverflowError) as error:
        msg = f"The metadata of the entry don't fit into a record: {error}"
        raise SerializationError(msg) from error
    middle = b"".join((fields, echo, tags))
    length = _pack_length(len(middle) + len(payload))
    return b"".join((first, checksum((first, length, middle, payload)), middle, payload))


def read_head(record: bytes) -> Head:
    """The head of a record. Untrusted until the checksum is verified.

    Raises:
        ForeignRecordError: The bytes don't begin with `MAGIC`.
        CorruptRecordError: The header is truncated or contradicts itself.
        UnsupportedRecordError: The record needs a newer reader. The message names the field.
    """
    if record[:16] == _PLAIN_START and len(record) >= HEADER_BYTES:
        return PLAIN
    if record[:4] != MAGIC:
        msg = "The bytes don't begin as a record of tiered_cache does"
        raise ForeignRecordError(msg)
    if len(record) < HEADER_BYTES:
        msg = f"The record is truncated: its {len(record)} bytes are shorter than a header"
        raise CorruptRecordError(msg)
    _, version, serializer, compression, flags, key_id = _HEAD.unpack_from(record)
    if version != VERSION:
        raise _unsupported("format version", version)
    if serializer not in (SERIALIZER_AUTO, SERIALIZER_PICKLE):
        raise _unsupported("serializer", serializer)
    if compression:
        raise _unsupported("compression", compression)
    if flags & ~FLAG_SIGNED:
        raise _unsupported("flags", flags)
    if not flags and key_id != NO_KEY_ID:
        msg = "The record names a signing key, but it is not signed"
        raise CorruptRecordError(msg)
    return Head(serializer, bool(flags), key_id)


def sealed_parts(record: bytes) -> tuple[bytes, bytes, bytes | memoryview]:
    """The checksum in a record, and the two parts of the record that it covers."""
    size = len(record)
    rest = record[_FIELDS_AT:] if size < _VIEW_FROM_BYTES else memoryview(record)[_FIELDS_AT:]
    return record[16:_FIELDS_AT], record[:16] + _pack_length(size - _FIELDS_AT), rest


def read_fields(key: str, record: bytes) -> Fields:
    """The metadata and the payload of a record with a verified checksum.

    Raises:
        ForeignRecordError: The record belongs to another key.
        CorruptRecordError: Its lengths don't agree, or its times are impossible.
    """
    (
        created,
        fresh,
        stale,
        cost_s,
        generation,
        echo_size,
        tags_size,
        dependencies_size,
        lead_s,
        payload_size,
    ) = _FIELDS.unpack_from(record, _FIELDS_AT)
    tags_at = HEADER_BYTES + echo_size
    payload_at = tags_at + tags_size + dependencies_size
    size = len(record)
    if payload_at + payload_size != size:
        msg = f"The lengths in the record add up to {payload_at + payload_size}, not to its {size} bytes"
        raise CorruptRecordError(msg)
    if record[HEADER_BYTES:tags_at] != key.encode("utf-8", "surrogatepass"):
        msg = "The record belongs to another key"
        raise ForeignRecordError(msg)
    possible = 0 <= created <= _MAX_CREATED_US and fresh <= stale
    if not (possible and 0.0 <= cost_s < _INF and 0.0 <= lead_s < _INF):
        msg = "The record's times or its cost are impossible"
        raise CorruptRecordError(msg)
    return (
        created / _MICROSECONDS,
        _INF if fresh == _NO_LIMIT else fresh / _MICROSECONDS,
        _INF if stale == _NO_LIMIT else stale / _MICROSECONDS,
        cost_s,
        lead_s,
        _read_tags(record[tags_at : tags_at + tags_size]) if tags_size else NO_TAGS,
        generation,
        record[payload_at:] if size < _VIEW_FROM_BYTES else memoryview(record)[payload_at:],
    )


def read_as_of(record: bytes) -> float:
    """Created less lead, in seconds, from unverified bytes; `-inf` if they are not a record."""
    if record[:4] != MAGIC or len(record) < HEADER_BYTES:
        return -_INF
    fields = _FIELDS.unpack_from(record, _FIELDS_AT)
    created: int = fields[0]
    lead_s: float = fields[8]
    return created / _MICROSECONDS - lead_s if 0.0 <= lead_s < _INF else -_INF


def read_is_computed(record: bytes) -> bool:
    """Whether unverified bytes are a record with a lead, so that its value was not set."""
    if record[:4] != MAGIC or len(record) < HEADER_BYTES:
        return False
    lead_s: float = _FIELDS.unpack_from(record, _FIELDS_AT)[8]
    return lead_s > 0.0


def _instants(entry: Entry) -> tuple[int, int, int, float]:
    created = _microseconds(entry.created_s)
    fresh = _microseconds(entry.fresh_until_s)
    stale = _microseconds(entry.stale_until_s)
    if not 0 <= created <= _MAX_CREATED_US or fresh > stale or not 0.0 <= entry.cost_s < _INF:
        msg = (
            "it must be created between 1970 and the year 10000, its freshness must not outlast "
            "its staleness, and its cost must be a finite number of seconds of zero or more"
        )
        raise ValueError(msg)
    return created, fresh, stale, entry.cost_s


def _microseconds(instant_s: float) -> int:
    """`instant_s` as a record holds it."""
    if instant_s >= _NO_LIMIT / _MICROSECONDS:
        return _NO_LIMIT
    return whole_microseconds(instant_s)


def _read_tags(encoded: bytes) -> dict[str, int]:
    try:
        return dict(_decode_tags(encoded))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        msg = "The record's tags can't be read"
        raise CorruptRecordError(msg) from error


def _unsupported(field: str, found: int) -> UnsupportedRecordError:
    msg = f"The record's {field} {found} is unknown here: it was written by a newer tiered_cache"
    return UnsupportedRecordError(msg)


class Checksum:
    """XXH3-128 of a record and its namespace, in canonical byte order, padded to 32 bytes.

    It reveals damage, not malice: an attacker can compute it too.
    """

    def __init__(self, namespace: str) -> None:
        self._start = xxhash.xxh3_128(length_prefixed(namespace))

    def __call__(self, parts: Iterable[bytes | memoryview]) -> bytes:
        """The checksum of `parts`."""
        state = self._start.copy()
        for part in parts:
            state.update(part)
        return state.digest() + _PADDING

    def verify(self, found: bytes, start: bytes, rest: bytes | memoryview) -> None:
        """Raise `CorruptRecordError` unless `found` is the checksum of `start` and `rest`."""
        state = self._start.copy()
        state.update(start)
        state.update(rest)
        if state.digest() + _PADDING != found:
            msg = "The record's checksum does not match: it is damaged, or of another namespace"
            raise CorruptRecordError(msg)


def length_prefixed(namespace: str) -> bytes:
    """A namespace as bytes, with its length before it, so that no two texts run together."""
    encoded = namespace.encode("utf-8", "surrogatepass")
    return _pack_length(len(encoded)) + encoded
