"""The codec: the rules of reading, and no unpickling without a verified signature."""

from __future__ import annotations

import os
import pickle
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tiered_cache.codec import RecordCodec, TypeTable
from tiered_cache.codec.envelope import (
    NO_KEY_ID,
    PLAIN,
    SERIALIZER_AUTO,
    SERIALIZER_PICKLE,
    Checksum,
    Head,
    read_head,
    seal,
)
from tiered_cache.codec.signing import SigningKey
from tiered_cache.contracts import Codec, Reach
from tiered_cache.entry import Entry
from tiered_cache.errors import (
    ConfigurationError,
    CorruptRecordError,
    SerializationError,
    SignatureError,
    UnsupportedRecordError,
)

if TYPE_CHECKING:
    from pathlib import Path

SHARED = b"a shared secret of the hosts"
ENTRY = Entry({"a": 1}, created_s=1.7e9)


class Custom:
    """An unregistered class."""

    def __init__(self, a: object) -> None:
        self.a = a

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Custom) and other.a == self.a

    __hash__ = None  # type: ignore[assignment] # as any class that only defines __eq__


class Point(NamedTuple):
    x: int


class Bomb:
    """Makes a directory when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> Any:
        return os.mkdir, (self.path,)


def a_codec(host_key_path: Path, **changes: Any) -> RecordCodec:
    return RecordCodec("tests", host_key_path=host_key_path, **changes)


@pytest.fixture
def key_path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "host.key"


def entry_of(value: object) -> Entry:
    return Entry(value, created_s=1.7e9)


def test_it_is_a_codec(key_path: Path) -> None:
    codec: Codec = a_codec(key_path)
    assert codec.decode("k", codec.encode("k", ENTRY, Reach.HOST)).value == {"a": 1}


@pytest.mark.parametrize("reach", list(Reach))
def test_plain_values_are_not_signed_and_make_no_key(key_path: Path, reach: Reach) -> None:
    record = a_codec(key_path).encode("k", entry_of([(1, {2}), None]), reach)
    assert read_head(record) == PLAIN
    assert not key_path.parent.exists()
    assert a_codec(key_path).decode("k", record).value == [(1, {2}), None]


def test_other_values_are_pickled_and_signed_with_the_host_key(key_path: Path) -> None:
    record = a_codec(key_path).encode("k", entry_of([Custom(1)]), Reach.HOST)
    head = read_head(record)
    assert (head.serializer, head.signed) == (SERIALIZER_PICKLE, True)
    assert stat.S_IMODE(key_path.stat().st_mode) == 0o600
    assert a_codec(key_path).decode("k", record).value == [Custom(1)]


def test_the_default_host_key_is_under_the_users_data(isolated_home: Path) -> None:
    codec = RecordCodec("tests")
    record = codec.encode("k", entry_of(Custom(1)), Reach.HOST)
    assert (isolated_home / "data" / "tiered-cache" / "host.key").exists()
    assert RecordCodec("tests").decode("k", record).value == Custom(1)


def test_cycles_and_deep_values_are_pickled(key_path: Path) -> None:
    codec = a_codec(key_path)
    cycle: list[Any] = [1]
    cycle.append(cycle)
    again = codec.decode("k", codec.encode("k", entry_of(cycle), Reach.HOST)).value
    assert again[1] is again


@pytest.mark.proves("law-9/no-shared-pickle")
def test_law_9_a_shared_tier_gets_no_pickle_without_a_shared_key(key_path: Path) -> None:
    codec = a_codec(key_path)
    with pytest.raises(SerializationError) as caught:
        codec.encode("k", entry_of({"a": [Custom("a secret")]}), Reach.CLUSTER)
    said = str(caught.value)
    for expected in ("dict", "Custom", "Register the type", "TIERED_CACHE_SIGNING_KEY"):
        assert expected in said
    assert "secret" not in said
    assert not key_path.exists()


def test_registered_types_go_to_a_shared_tier(key_path: Path) -> None:
    registry = TypeTable()
    registry.register(Point)
    codec = a_codec(key_path, registry=registry)
    record = codec.encode("k", entry_of([Point(1)]), Reach.CLUSTER)
    assert codec.decode("k", record).value == [Point(1)]
    with pytest.raises(UnsupportedRecordError):
        a_codec(key_path).decode("k", record)


def test_with_a_shared_key_every_record_is_signed_with_it(key_path: Path) -> None:
    codec = a_codec(key_path, shared_key=SHARED)
    for value, serializer in (({"a": 1}, SERIALIZER_AUTO), (Custom(1), SERIALIZER_PICKLE)):
        for reach in (Reach.HOST, Reach.CLUSTER):
            record = codec.encode("k", entry_of(value), reach)
            assert read_head(record) == Head(serializer, True, SigningKey(SHARED).key_id)
            assert a_codec(key_path, shared_key=SHARED).decode("k", record).value == value
    assert not key_path.exists()


@pytest.mark.proves("law-9/shared-key-needed")
def test_law_9_with_a_shared_key_unsigned_records_are_refused(key_path: Path) -> None:
    record = a_codec(key_path).encode("k", ENTRY, Reach.CLUSTER)
    with pytest.raises(SignatureError, match="not signed"):
        a_codec(key_path, shared_key=SHARED).decode("k", record)


@pytest.mark.proves("law-9/shared-key-needed")
def test_law_9_records_of_unknown_keys_are_refused(key_path: Path, tmp_path: Path) -> None:
    record = a_codec(key_path, shared_key=SHARED).encode("k", ENTRY, Reach.CLUSTER)
    for codec in (
        a_codec(key_path),
        a_codec(key_path, shared_key=SHARED + b"!"),
        a_codec(tmp_path / "other" / "host.key"),
    ):
        with pytest.raises(SignatureError, match="not one of ours"):
            codec.decode("k", record)
    assert not key_path.exists()


def test_records_of_the_host_key_are_read_beside_the_shared_key(key_path: Path) -> None:
    record = a_codec(key_path).encode("k", entry_of(Custom(1)), Reach.HOST)
    codec = a_codec(key_path, shared_key=SHARED)
    assert codec.decode("k", record).value == Custom(1)


def test_a_replaced_host_key_is_taken_up(key_path: Path) -> None:
    first, second = a_codec(key_path), a_codec(key_path)
    old = first.encode("k", entry_of(Custom(1)), Reach.HOST)
    key_path.unlink()
    new = second.encode("k", entry_of(Custom(2)), Reach.HOST)
    assert read_head(old).key_id != read_head(new).key_id
    assert first.decode("k", new).value == Custom(2)
    assert read_head(first.encode("k", entry_of(Custom(3)), Reach.HOST)) == read_head(new)
    with pytest.raises(SignatureError):
        second.decode("k", old)


def test_a_host_key_that_can_not_be_used_is_explained(key_path: Path) -> None:
    record = a_codec(key_path).encode("k", entry_of(Custom(1)), Reach.HOST)
    key_path.chmod(0o644)
    with pytest.raises(SerializationError, match="chmod 600"):
        a_codec(key_path).encode("k", entry_of(Custom(1)), Reach.HOST)
    with pytest.raises(SignatureError, match="chmod 600"):
        a_codec(key_path).decode("k", record)


def test_a_short_shared_key_is_refused(key_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="at least 16"):
        a_codec(key_path, shared_key=b"short")


@pytest.mark.parametrize("value", [lambda: None, threading.Lock(), [Custom(threading.Lock())]])
def test_a_value_that_can_not_be_written_is_named(key_path: Path, value: object) -> None:
    codec = a_codec(key_path)
    with pytest.raises(SerializationError, match=type(value).__name__):
        codec.encode("k", entry_of(value), Reach.HOST)
    with pytest.raises(SerializationError):
        codec.fingerprint(value)
    assert not key_path.exists()


def test_a_to_plain_that_raises_is_a_serialization_error(key_path: Path) -> None:
    registry = TypeTable()
    registry.register(Custom, to_plain=lambda value: 1 / 0, from_plain=Custom)
    with pytest.raises(SerializationError, match="ZeroDivisionError"):
        a_codec(key_path, registry=registry).encode("k", entry_of(Custom(1)), Reach.HOST)


def test_a_from_plain_that_raises_is_a_corrupt_record(key_path: Path) -> None:
    registry = TypeTable()
    registry.register(Custom, to_plain=lambda value: 1, from_plain=lambda plain: plain / 0)
    codec = a_codec(key_path, registry=registry)
    record = codec.encode("k", entry_of(Custom(1)), Reach.HOST)
    with pytest.raises(CorruptRecordError, match="ZeroDivisionError"):
        codec.decode("k", record)


def test_a_class_that_is_gone_is_an_unsupported_record(
    key_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, Custom.__module__, sys.modules[__name__])
    codec = a_codec(key_path)
    record = codec.encode("k", entry_of(Custom(1)), Reach.HOST)
    monkeypatch.delattr(sys.modules[__name__], "Custom")
    with pytest.raises(UnsupportedRecordError, match="unpickled"):
        codec.decode("k", record)


def test_the_fingerprint_changes_with_the_value(key_path: Path) -> None:
    codec = a_codec(key_path)
    for value in ({"a": [1]}, Custom([1])):
        before = codec.fingerprint(value)
        assert codec.fingerprint(value) == before
        inner = value["a"] if isinstance(value, dict) else value.a
        assert isinstance(inner, list)
        inner.append(2)
        assert codec.fingerprint(value) != before


def bombs(path: Path) -> dict[str, bytes]:
    """Records with a payload that makes the directory `path` when it is unpickled."""
    payload = pickle.dumps(Bomb(path))
    stranger = SigningKey(b"the secret of somebody else")
    stranger_sign = stranger.signature("tests")
    ours = SigningKey(SHARED)
    checksum = Checksum("tests")
    record = seal("k", ENTRY, payload, Head(SERIALIZER_PICKLE, True, ours.key_id), checksum)
    return {
        "bare pickle": payload,
        "unsigned": seal("k", ENTRY, payload, Head(SERIALIZER_PICKLE, False, NO_KEY_ID), checksum),
        "unsigned, with our key id": seal(
            "k", ENTRY, payload, Head(SERIALIZER_PICKLE, False, ours.key_id), checksum
        ),
        "as plain data": seal("k", ENTRY, payload, PLAIN, checksum),
        "a checksum as signature": record,
        "zeros as signature": record[:16] + bytes(32) + record[48:],
        "signed by a stranger": seal(
            "k", ENTRY, payload, Head(SERIALIZER_PICKLE, True, stranger.key_id), stranger_sign
        ),
        "signed by a stranger with our key id": seal(
            "k", ENTRY, payload, Head(SERIALIZER_PICKLE, True, ours.key_id), stranger_sign
        ),
        "signed for another namespace": seal(
            "k",
            ENTRY,
            payload,
            Head(SERIALIZER_PICKLE, True, ours.key_id),
            ours.signature("other"),
        ),
        "payload replaced": _with_payload_replaced(payload),
    }


def _with_payload_replaced(payload: bytes) -> bytes:
    signature = SigningKey(SHARED).signature("tests")
    head = Head(SERIALIZER_PICKLE, True, SigningKey(SHARED).key_id)
    harmless = seal("k", ENTRY, b"x" * len(payload), head, signature)
    return harmless[: -len(payload)] + payload


READ = """
import pathlib, sys
from tiered_cache.codec import RecordCodec
from tiered_cache.errors import RecordError
shared = bytes.fromhex(sys.argv[1])
for options in ({"shared_key": shared}, {}):
    try:
        RecordCodec("tests", **options).decode("k", pathlib.Path(sys.argv[2]).read_bytes())
    except RecordError as error:
        print(type(error).__name__)
    else:
        print("read")
"""


def read_elsewhere(record: bytes, tmp_path: Path) -> list[str]:
    """The results of reading in another process, with and without the shared key."""
    (tmp_path / "record").write_bytes(record)
    done = subprocess.run(
        [sys.executable, "-c", READ, SHARED.hex(), str(tmp_path / "record")],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.mark.proves("law-9/unsigned-pickle")
@pytest.mark.parametrize("name", bombs(__import__("pathlib").Path("/nowhere")))
def test_law_9_a_pickle_without_a_valid_signature_never_runs(name: str, tmp_path: Path) -> None:
    mark = tmp_path / "it-ran"
    outcomes = read_elsewhere(bombs(mark)[name], tmp_path)
    assert len(outcomes) == 2
    assert set(outcomes) <= {"SignatureError", "CorruptRecordError", "ForeignRecordError"}
    assert not mark.exists()


def test_the_bomb_of_the_test_above_works(tmp_path: Path) -> None:
    mark = tmp_path / "it-ran"
    head = Head(SERIALIZER_PICKLE, True, SigningKey(SHARED).key_id)
    record = seal("k", ENTRY, pickle.dumps(Bomb(mark)), head, SigningKey(SHARED).signature("tests"))
    assert read_elsewhere(record, tmp_path) == ["read", "SignatureError"]
    assert mark.exists()


@pytest.mark.proves("law-9/signature-first")
def test_law_9_nothing_is_decoded_before_the_signature_is_verified(
    key_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = a_codec(key_path, shared_key=SHARED)
    record = bytearray(codec.encode("k", entry_of((1, 2)), Reach.CLUSTER))
    record[-1] ^= 1
    decoded: list[object] = []
    monkeypatch.setattr(codec._auto, "decode", decoded.append)
    with pytest.raises(SignatureError):
        codec.decode("k", bytes(record))
    assert decoded == []


def test_law_12_threads_share_a_codec(key_path: Path) -> None:
    codec = a_codec(key_path)
    barrier = threading.Barrier(8)
    ids: list[bytes] = []
    wrong: list[object] = []

    def work(number: int) -> None:
        barrier.wait(10)
        for each in range(50):
            value = [Custom((number, each)), {"n": number}] if each % 2 else [(number, {each})]
            record = codec.encode("k", entry_of(value), Reach.HOST)
            if each % 2:
                ids.append(read_head(record).key_id)
            if codec.decode("k", record).value != value:
                wrong.append(value)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(ids) == 8 * 25
    assert len(set(ids)) == 1
