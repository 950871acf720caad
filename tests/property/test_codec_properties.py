"""The codec, for any value and any bytes."""

from __future__ import annotations

import contextlib
import math
import struct
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiered_cache.codec import RecordCodec
from tiered_cache.codec.envelope import PLAIN, Checksum, seal
from tiered_cache.contracts import Reach
from tiered_cache.entry import Entry
from tiered_cache.errors import RecordError

CODEC = RecordCodec("tests")
SIGNED = RecordCodec("tests", shared_key=b"the secret of these tests")

SURROGATES = st.characters(categories=["Cs"])
TEXT = st.text() | st.text(SURROGATES | st.characters())
ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(2**80), max_value=2**80)
    | st.floats()
    | TEXT
    | st.binary()
    | st.binary().map(bytearray)
    | st.complex_numbers()
    | st.datetimes()
    | st.datetimes(timezones=st.timezones())
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.decimals()
    | st.fractions()
    | st.uuids()
)
KEYS: st.SearchStrategy[Any] = st.deferred(
    lambda: (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | TEXT
        | st.binary()
        | st.dates()
        | st.tuples(KEYS, KEYS)
        | st.frozensets(KEYS, max_size=3)
    )
)
VALUES = st.recursive(
    ATOMS,
    lambda each: (
        st.lists(each)
        | st.lists(each).map(tuple)
        | st.dictionaries(TEXT, each)
        | st.dictionaries(KEYS, each)
        | st.sets(KEYS)
        | st.frozensets(KEYS)
    ),
    max_leaves=20,
)
INSTANTS = st.floats(min_value=0, max_value=4e9)
ENTRIES = st.builds(
    lambda value, created, fresh, grace, cost, tags, generation: Entry(
        value,
        created_s=created,
        fresh_until_s=fresh,
        stale_until_s=fresh + grace,
        cost_s=cost,
        tags=tags,
        generation=generation,
    ),
    VALUES,
    INSTANTS,
    INSTANTS | st.just(math.inf),
    st.floats(min_value=0, max_value=1e6),
    st.floats(min_value=0, allow_infinity=False),
    st.dictionaries(st.text(), st.integers(min_value=0, max_value=2**63 - 1)),
    st.integers(min_value=0, max_value=2**64 - 1),
)


def exact(value: Any) -> Any:
    """An object that is equal for two values only if their types and values are."""
    kind = type(value)
    if kind in (list, tuple):
        return kind, [exact(each) for each in value]
    if kind in (set, frozenset):
        return kind, sorted(repr(exact(each)) for each in value)
    if kind is dict:
        return kind, [(exact(key), exact(item)) for key, item in value.items()]
    if kind is float:
        return kind, "nan" if math.isnan(value) else struct.pack("<d", value)
    return kind, repr(value), getattr(value, "fold", 0)


@pytest.mark.proves("records/exact-types")
@given(st.text(), ENTRIES, st.sampled_from(Reach), st.booleans())
def test_entries_come_back_in_type_and_value(
    key: str, entry: Entry, reach: Reach, signed: bool
) -> None:
    codec = SIGNED if signed else CODEC
    again = codec.decode(key, codec.encode(key, entry, reach))
    assert exact(again.value) == exact(entry.value)
    assert (again.cost_s, again.tags, again.generation) == (
        entry.cost_s,
        entry.tags,
        entry.generation,
    )
    for name in ("created_s", "fresh_until_s", "stale_until_s"):
        before, after = getattr(entry, name), getattr(again, name)
        assert after == before or before - 2e-6 < after <= before


@pytest.mark.proves("law-9/changed-byte")
@given(VALUES, st.integers(min_value=0), st.integers(1, 255), st.booleans())
def test_law_9_a_changed_byte_is_never_another_value(
    value: Any, place: int, change: int, signed: bool
) -> None:
    codec = SIGNED if signed else CODEC
    record = bytearray(codec.encode("k", Entry(value, created_s=1.0), Reach.CLUSTER))
    record[place % len(record)] ^= change
    _refused(codec, bytes(record))


@pytest.mark.proves("law-9/wrong-length")
@given(VALUES, st.integers(min_value=0))
def test_law_9_a_truncated_record_is_never_another_value(value: Any, size: int) -> None:
    record = CODEC.encode("k", Entry(value, created_s=1.0), Reach.CLUSTER)
    _refused(CODEC, record[: size % len(record)])


@pytest.mark.proves("law-9/random-bytes")
@given(st.binary(max_size=400))
def test_law_9_no_bytes_are_a_record_by_chance(data: bytes) -> None:
    _refused(CODEC, data)
    _refused(CODEC, b"\x89TCR" + data)
    _refused(CODEC, b"\x89TCR\x01\x01\0\0" + bytes(8) + data)


def _refused(codec: RecordCodec, record: bytes) -> None:
    try:
        codec.decode("k", record)
    except RecordError:
        return
    raise AssertionError(record)


PARTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text()
    | st.binary(),
    lambda each: (
        st.lists(each, max_size=4)
        | st.dictionaries(st.text() | st.integers(0, 9), each, max_size=4)
        | st.builds(
            lambda code, inner: msgspec.msgpack.Ext(code, msgspec.msgpack.encode(inner)),
            st.integers(-2, 31),
            each,
        )
        | st.builds(msgspec.msgpack.Ext, st.integers(-128, 127), st.binary(max_size=20))
    ),
    max_leaves=10,
)


def _survives(payload: bytes) -> None:
    """A writer to an unsigned tier can choose the payload and its checksum."""
    record = seal("k", Entry(None, created_s=1.0), payload, PLAIN, Checksum("tests"))
    with contextlib.suppress(RecordError):
        CODEC.decode("k", record)


@pytest.mark.proves("law-9/hostile-payloads")
@given(PARTS)
def test_law_9_chosen_extensions_raise_only_record_errors(parts: Any) -> None:
    _survives(msgspec.msgpack.encode(parts))


@pytest.mark.proves("law-9/hostile-payloads")
@given(st.binary(max_size=200))
def test_law_9_chosen_payloads_raise_only_record_errors(payload: bytes) -> None:
    _survives(payload)


@given(VALUES, st.integers(min_value=0), st.binary(max_size=4))
def test_law_9_damaged_payloads_raise_only_record_errors(
    value: Any, place: int, other: bytes
) -> None:
    payload = bytearray(CODEC._auto.encode(value))
    at = place % len(payload)
    payload[at : at + len(other)] = other
    _survives(bytes(payload))
