"""The envelope: the records that a reader refuses, each with the right error."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiered_cache.codec import RecordCodec
from tiered_cache.codec.envelope import HEADER_BYTES, PLAIN, Checksum, read_fields, read_head, seal
from tiered_cache.contracts import Reach
from tiered_cache.entry import TOKEN_BYTES, Entry, deleted_at, is_tombstone, make_tombstone
from tiered_cache.errors import (
    CorruptRecordError,
    ForeignRecordError,
    RecordError,
    SerializationError,
    UnsupportedRecordError,
)

NAMESPACE = "tests"
KEY = "some:kéy"
FORMAT = "<4sBBBB8s32sqqqdQIIIfQ"


def an_entry(**changes: Any) -> Entry:
    settings: dict[str, Any] = {
        "created_s": 1_700_000_000.25,
        "fresh_until_s": 1_700_000_060.5,
        "stale_until_s": 1_700_000_120.0,
        "cost_s": 2.5,
        "lead_s": 1.25,
        "tags": {"b": 0, "a": 0, "é": 0},
        "generation": 7,
    }
    return Entry({"x": [1, 2.5, None]}, **(settings | changes))


def encode(entry: Entry, key: str = KEY) -> bytes:
    return RecordCodec(NAMESPACE).encode(key, entry, Reach.CLUSTER)


def decode(record: bytes, key: str = KEY) -> Entry:
    return RecordCodec(NAMESPACE).decode(key, record)


def with_field(index: int, value: Any) -> bytes:
    """A record with one header field replaced and a matching checksum."""
    record = encode(an_entry())
    fields = list(struct.unpack_from(FORMAT, record))
    fields[index] = value
    changed = struct.pack(FORMAT, *fields) + record[HEADER_BYTES:]
    return resealed(changed)


def resealed(record: bytes) -> bytes:
    length = struct.pack("<Q", len(record) - TOKEN_BYTES)
    checksum = Checksum(NAMESPACE)([record[:16], length, record[TOKEN_BYTES:]])
    return record[:16] + checksum + record[TOKEN_BYTES:]


@pytest.mark.proves("records/fields")
def test_every_field_is_where_the_documentation_says() -> None:
    record = encode(an_entry())
    fields = struct.unpack_from(FORMAT, record)
    key_bytes = KEY.encode()
    tags = b"\x93\x92\xa1a\x00\x92\xa1b\x00\x92\xa2\xc3\xa9\x00"
    assert struct.calcsize(FORMAT) == HEADER_BYTES == 112
    assert fields[:6] == (b"\x89TCR", 1, 1, 0, 0, bytes(8))
    assert fields[6][16:] == bytes(16)
    assert fields[6][:16] != bytes(16)
    assert fields[7:12] == (
        1_700_000_000_250_000,
        1_700_000_060_500_000,
        1_700_000_120_000_000,
        2.5,
        7,
    )
    assert fields[12:16] == (len(key_bytes), len(tags), 0, 1.25)
    payload = record[-fields[16] :]
    assert record[HEADER_BYTES:] == key_bytes + tags + payload
    assert payload == b"\x81\xa1x\x93\x01\xcb\x40\x04\0\0\0\0\0\0\xc0"


def test_an_entry_comes_back_with_all_its_metadata() -> None:
    entry = an_entry()
    record = encode(entry)
    again = decode(record)
    for name in Entry.__slots__:
        if name != "size_bytes":
            assert getattr(again, name) == getattr(entry, name)
    assert again.size_bytes == len(record)


@given(st.floats(0, 1e9))
def test_law_4_a_lead_is_never_rounded_down(lead_s: float) -> None:
    again = decode(encode(an_entry(lead_s=lead_s))).lead_s
    assert lead_s <= again <= lead_s * (1 + 2**-21) + 1e-43


def test_a_tombstone_says_when() -> None:
    assert deleted_at(make_tombstone(1_700_000_000.25)) == 1_700_000_000.25
    assert deleted_at(b"\x89TCT") == 0.0


def test_an_entry_without_limits_comes_back_without() -> None:
    again = decode(encode(Entry(None, created_s=0.0)))
    assert (again.value, again.fresh_until_s, again.stale_until_s) == (None, math.inf, math.inf)
    assert (again.tags, again.generation, again.cost_s) == ({}, 0, 0.0)


@pytest.mark.proves("law-3/instants-not-rounded")
def test_law_3_instants_are_never_rounded_up_and_do_not_drift() -> None:
    for step in range(2000):
        until = 1_700_000_000 + step * 0.123_456_789
        entry = Entry(1, created_s=1.0, fresh_until_s=until)
        once = decode(encode(entry))
        assert until - 2e-6 < once.fresh_until_s <= until
        assert decode(encode(once)).fresh_until_s == once.fresh_until_s


def test_no_two_records_of_different_entries_share_their_token() -> None:
    tokens = {encode(an_entry(generation=each))[:TOKEN_BYTES] for each in range(100)}
    tokens |= {encode(an_entry(), key=f"{KEY}{each}")[:TOKEN_BYTES] for each in range(100)}
    assert len(tokens) == 200


@pytest.mark.proves("law-9/newer-format")
@pytest.mark.parametrize(
    ("index", "value", "named"),
    [
        (1, 0, "format version 0"),
        (1, 2, "format version 2"),
        (2, 0, "serializer 0"),
        (2, 3, "serializer 3"),
        (3, 1, "compression 1"),
        (4, 2, "flags 2"),
        (4, 0x80, "flags 128"),
    ],
)
def test_law_9_a_newer_format_is_refused_by_name(index: int, value: int, named: str) -> None:
    with pytest.raises(UnsupportedRecordError, match=named):
        decode(with_field(index, value))


@pytest.mark.parametrize(
    ("index", "value"),
    [
        (5, b"12345678"),  # a key id without a signature
        (7, -1),
        (7, 2**62),
        (8, 1_700_000_120_000_001),  # fresh after stale
        (9, 0),
        (10, math.nan),
        (10, -0.1),
        (10, math.inf),
        (12, 5),
        (12, 2**32 - 1),
        (13, 2**32 - 1),
        (14, 1),
        (16, 2**64 - 1),
        (16, 0),
    ],
)
def test_law_9_impossible_fields_are_corrupt(index: int, value: object) -> None:
    with pytest.raises(CorruptRecordError):
        decode(with_field(index, value))


def test_law_9_lengths_that_trade_bytes_with_each_other_are_refused() -> None:
    record = bytearray(encode(an_entry()))
    key_size, tags_size = struct.unpack_from("<II", record, 88)
    struct.pack_into("<II", record, 88, key_size + 1, tags_size - 1)
    with pytest.raises(ForeignRecordError):
        decode(resealed(bytes(record)))
    struct.pack_into("<IIIIQ", record, 88, key_size, tags_size - 1, 0, 0, 18)
    with pytest.raises(CorruptRecordError):
        decode(resealed(bytes(record)))


def test_dependencies_are_skipped() -> None:
    record = encode(an_entry())
    key_size, tags_size = struct.unpack_from("<II", record, 88)
    at = HEADER_BYTES + key_size + tags_size
    changed = bytearray(record[:at] + b"anything" + record[at:])
    struct.pack_into("<I", changed, 96, 8)
    assert decode(resealed(bytes(changed))).value == an_entry().value


def test_law_9_foreign_bytes_are_told_from_damaged_ones() -> None:
    for foreign in (b"", b"\x89", b"\x89TCX" + bytes(200), b"\x80\x05N.", make_tombstone(0.0)):
        with pytest.raises(ForeignRecordError):
            decode(foreign)
    assert not is_tombstone(encode(an_entry()))


@pytest.mark.proves("law-9/another-key")
def test_law_9_the_record_of_another_key_is_foreign() -> None:
    record = encode(an_entry())
    for other in ("other", KEY + "x", KEY[:-1], ""):
        with pytest.raises(ForeignRecordError) as caught:
            decode(record, other)
        assert caught.value.key == other


@pytest.mark.proves("law-9/another-key")
def test_law_9_the_record_of_another_namespace_is_refused() -> None:
    with pytest.raises(CorruptRecordError):
        RecordCodec("other").decode(KEY, encode(an_entry()))


@pytest.mark.proves("law-9/wrong-length")
def test_law_9_truncated_or_lengthened_records_are_corrupt() -> None:
    record = encode(an_entry())
    for size in range(4, len(record)):
        with pytest.raises(CorruptRecordError):
            decode(record[:size])
        with pytest.raises(CorruptRecordError):
            decode(resealed(record[:size])) if size >= HEADER_BYTES else decode(record[:size])
    for more in (b"\0", record, bytes(1000)):
        with pytest.raises(CorruptRecordError):
            decode(record + more)
        with pytest.raises(CorruptRecordError):
            decode(resealed(record + more))


@pytest.mark.proves("law-9/changed-byte")
@pytest.mark.parametrize("shared_key", [None, b"k" * 32])
@pytest.mark.parametrize("value", [{"plain": [1, 2]}, ValueError("pickled")])
def test_law_9_no_changed_byte_goes_unnoticed(
    shared_key: bytes | None, value: object, tmp_path: Any
) -> None:
    codec = RecordCodec(NAMESPACE, shared_key=shared_key, host_key_path=tmp_path / "host.key")
    entry = Entry(value, created_s=1.7e9, tags={"a": 0})
    record = codec.encode(KEY, entry, Reach.HOST)
    codec.decode(KEY, record)
    for index in range(len(record)):
        for bit in range(8):
            changed = bytearray(record)
            changed[index] ^= 1 << bit
            with pytest.raises(RecordError):
                codec.decode(KEY, bytes(changed))


def test_a_large_record_comes_back() -> None:
    value = {"bytes": bytes(range(256)) * 4096, "text": "é" * 100_000, "items": list(range(1000))}
    assert decode(encode(an_entry())).value == an_entry().value
    assert decode(encode(Entry(value, created_s=1.0))).value == value


@pytest.mark.parametrize(
    "changes",
    [
        {"cost_s": math.nan},
        {"cost_s": -1.0},
        {"cost_s": math.inf},
        {"created_s": math.nan},
        {"created_s": -1.0},
        {"created_s": math.inf},
        {"fresh_until_s": math.nan},
        {"fresh_until_s": -math.inf},
        {"stale_until_s": 1.0},
        {"generation": -1},
        {"generation": 2**64},
        {"tags": {"\ud800": 0}},
    ],
)
def test_an_entry_that_no_reader_would_take_is_not_written(changes: dict[str, Any]) -> None:
    with pytest.raises(SerializationError):
        encode(an_entry(**changes))


def test_law_9_tags_that_are_no_tags_are_corrupt() -> None:
    entry = Entry(1, created_s=1.0)
    good = seal(KEY, entry, b"\x01", PLAIN, Checksum(NAMESPACE))
    for tags in (b"\xc1", b"\x91\x92\x01\x02", b"\x91\xa1a", b"\xdd\xff\xff\xff\xff", b"\x90\x90"):
        record = bytearray(good[:-1] + tags + good[-1:])
        struct.pack_into("<I", record, 92, len(tags))
        assert read_head(bytes(record)) == PLAIN
        with pytest.raises(CorruptRecordError):
            read_fields(KEY, bytes(record))
