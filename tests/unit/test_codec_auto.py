"""The serializer `auto`: exact types, and only RecordErrors for hostile bytes."""

from __future__ import annotations

import datetime as dt
import decimal
import fractions
import io
import math
import pathlib
import subprocess
import sys
import threading
import uuid
import zoneinfo
from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any

import msgspec
import pytest

from tiered_cache.codec.auto_serializer import MAX_DEPTH, AutoSerializer
from tiered_cache.codec.extension_types import EXTENSIONS
from tiered_cache.codec.type_table import TypeTable
from tiered_cache.contracts import NotPlain
from tiered_cache.errors import CorruptRecordError, RecordError, UnsupportedRecordError

Ext = msgspec.msgpack.Ext
pack = msgspec.msgpack.Encoder().encode


def round_trip(value: Any) -> Any:
    auto = AutoSerializer(TypeTable())
    return auto.decode(auto.encode(value))


def exact(value: Any) -> Any:
    """An object that is equal for two values only if their types and values are."""
    kind = type(value)
    if kind in (list, tuple, deque):
        return kind, [exact(each) for each in value], getattr(value, "maxlen", 0)
    if kind in (set, frozenset):
        return kind, sorted(repr(exact(each)) for each in value)
    if isinstance(value, dict):
        factory = getattr(value, "default_factory", 0)
        return kind, [(exact(key), exact(item)) for key, item in value.items()], factory
    if kind is slice:
        return kind, [exact(each) for each in (value.start, value.stop, value.step)]
    if kind is int:
        return kind, value
    return kind, repr(value), getattr(value, "fold", 0)


HAS_ZONES = "Europe/Paris" in zoneinfo.available_timezones()
PARIS: dt.tzinfo = zoneinfo.ZoneInfo("Europe/Paris") if HAS_ZONES else dt.UTC

TZIF = b"TZif" + bytes(16) + b"\0\0\0\0" * 4 + b"\0\0\0\1\0\0\0\4" + bytes(6) + b"XXX\0"
"""The smallest time zone file: one type, UTC, called XXX."""

VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    2**63,
    2**64 - 1,
    2**64,
    -(2**63),
    -(2**63) - 1,
    10**5000,
    -(10**400),
    0.0,
    -0.0,
    math.inf,
    -math.inf,
    math.nan,
    5e-324,
    "",
    "é\0\U0001f600",
    "\ud800 lone",
    "\udcff",
    b"",
    b"\xff",
    bytearray(b"ab"),
    [],
    [[], [[]]],
    (),
    (1, (2, ("x", [()]))),
    [(1, 2), [3, (4,)]],
    {},
    {"a": 1, "b": {"c": [1, 2]}},
    {1: "int", 1.5: "float", None: 0, b"b": 1, "s": 2},
    {True: 1, False: 2},
    {(1, 2): "tuple", "k": (1,)},
    {frozenset({1}): {2}},
    {"\ud800": 1, 2**70: 2},
    {dt.date(2024, 1, 1): [1]},
    set(),
    {1, 2, 3},
    {"a", (1, 2), None, frozenset({b"x"})},
    frozenset(),
    frozenset({1, frozenset({2})}),
    complex(1, -0.0),
    complex(math.inf, 2),
    dt.datetime.min,  # noqa: DTZ901 - naive values must come back naive
    dt.datetime.max,  # noqa: DTZ901
    dt.datetime(2024, 10, 27, 2, 30, 0, 1, tzinfo=PARIS, fold=1),
    dt.datetime(2024, 10, 27, 2, 30, fold=1),  # noqa: DTZ001
    dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
    dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=-5, seconds=1), "named")),
    dt.date.min,
    dt.date.max,
    dt.time(1, 2, 3, 4),
    dt.time(1, 2, tzinfo=dt.UTC, fold=1),
    dt.timedelta.min,
    dt.timedelta.max,
    dt.timedelta(microseconds=-1),
    dt.UTC,
    dt.timezone(dt.timedelta(minutes=90)),
    dt.timezone(dt.timedelta(0), "zero"),
    PARIS,
    decimal.Decimal("1.10"),
    decimal.Decimal("-0"),
    decimal.Decimal("NaN123"),
    decimal.Decimal("sNaN"),
    decimal.Decimal("-Infinity"),
    decimal.Decimal("1E+999999"),
    fractions.Fraction(-7, 3),
    fractions.Fraction(2**100, 3),
    uuid.UUID(int=5),
    pathlib.PurePosixPath("/a/b c"),
    pathlib.PurePosixPath("//net"),
    pathlib.PureWindowsPath("C:\\x\\y"),
    pathlib.Path("relative/é"),
    pathlib.Path(),
    pathlib.Path("bad\udcff"),
    range(0, 10, 3),
    range(2**70),
    slice(None, 5, (1, 2)),
    OrderedDict([("b", 1), ("a", (2,))]),
    Counter("hello"),
    defaultdict(list, {"a": [1]}),
    defaultdict(None, {(1,): 2}),
    deque([1, (2,)], maxlen=3),
    deque(),
]


@pytest.mark.proves("records/exact-types")
@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{type(value).__name__}")
def test_exact_types_come_back(value: Any) -> None:
    assert exact(round_trip(value)) == exact(value)
    assert exact(round_trip([{"nested": (value,)}])) == exact([{"nested": (value,)}])


def test_every_extension_is_tested_and_has_its_own_code() -> None:
    tested = {type(value) for value in VALUES}
    codes = [each.code for each in EXTENSIONS]
    assert len(set(codes)) == len(codes)
    not_here = {pathlib.WindowsPath} | (set() if HAS_ZONES else {zoneinfo.ZoneInfo})
    assert {each.kind for each in EXTENSIONS} - tested == not_here


def test_utc_stays_the_singleton() -> None:
    assert round_trip(dt.UTC) is dt.UTC


def test_plain_data_is_plain_messagepack() -> None:
    value = {"a": [1, 2.5, None, True, b"x", {"y": "z"}], 3: 4}
    assert AutoSerializer(TypeTable()).encode(value) == pack(value)


def test_the_callers_value_is_not_touched() -> None:
    inner = [(1, 2), 2**70]
    value = {"a": inner, "b": {"c": {1, 2}}}
    AutoSerializer(TypeTable()).encode(value)
    assert exact(value) == exact({"a": [(1, 2), 2**70], "b": {"c": {1, 2}}})
    assert value["a"] is inner


class Custom:
    pass


class MyStr(str):
    __slots__ = ()


class MyDict(dict[str, int]):
    pass


def with_attribute(value: Any) -> Any:
    value.extra = 1
    return value


@pytest.mark.parametrize(
    "value",
    [
        Custom(),
        [Custom()],
        {"a": {"b": Custom()}},
        MyStr("x"),
        {MyStr("x"): 1},
        MyDict(a=1),
        lambda: None,
        int,
        ...,
        memoryview(b"x"),
        defaultdict(lambda: 0),
        with_attribute(OrderedDict()),
        with_attribute(Counter()),
        zoneinfo.ZoneInfo.from_file(io.BytesIO(TZIF)),
        fractions.Fraction(1, 3**5000),
    ],
)
def test_values_that_do_not_round_trip_are_not_plain(value: Any) -> None:
    with pytest.raises(NotPlain):
        AutoSerializer(TypeTable()).encode(value)


def nested(levels: int, around: Any = list) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"k": value} if around is dict else around([value])
    return value


@pytest.mark.parametrize("around", [list, dict, tuple, deque])
def test_depth_is_limited_and_the_deepest_value_can_be_read(around: Any) -> None:
    deepest = nested(MAX_DEPTH if around in (list, dict) else MAX_DEPTH // 2, around)
    assert round_trip(deepest) == deepest
    with pytest.raises(NotPlain):
        round_trip(nested(MAX_DEPTH + 1, around))
    with pytest.raises(NotPlain):
        round_trip(nested(100_000, around))


def test_cycles_are_not_plain() -> None:
    items: list[Any] = []
    items.append(items)
    mapping: dict[str, Any] = {}
    mapping["self"] = (mapping,)
    for value in (items, mapping):
        with pytest.raises(NotPlain, match="contains itself"):
            AutoSerializer(TypeTable()).encode(value)


@pytest.mark.proves("law-10/claimed-lengths")
def test_law_10_a_shared_structure_does_not_unfold_without_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tiered_cache.codec.auto_serializer._MAX_CONTAINERS", 10_000)
    value: Any = []
    for _ in range(60):
        value = [value, value]
    with pytest.raises(NotPlain):
        AutoSerializer(TypeTable()).encode(value)


def hostile_payloads() -> dict[str, bytes]:
    def ext(code: int, data: bytes) -> bytes:
        return pack(Ext(code, data))

    bomb = b"\xc0"
    for _ in range(5000):
        bomb = b"\x91" + ext(3, bomb)
    return {
        "empty": b"",
        "reserved": b"\xc1",
        "trailing": b"\x01\x01",
        "huge array": b"\xdd\xff\xff\xff\xff",
        "huge map": b"\xdf\xff\xff\xff\xff",
        "huge bytes": b"\xc6\xff\xff\xff\xff",
        "huge ext": b"\xc9\xff\xff\xff\xff\x03",
        "nested huge arrays": b"\xdd\x00\xff\xff\xff" * 500,
        "deep arrays": b"\x91" * 1_000_000 + b"\xc0",
        "deep maps": b"\x81\xa1a" * 500_000 + b"\xc0",
        "deep keys": b"\x81" * 500_000 + b"\xc0",
        "deep extensions": bomb,
        "bad text": b"\xa1\xff",
        "unhashable key": b"\x81\x81\x01\x02\x03",
        "bad timestamp": ext(-1, b"xx"),
        "unhashable in set": ext(4, pack([{"a": 1}])),
        "list as tuple": ext(3, pack("abc")),
        "date": ext(11, pack(10**9)),
        "datetime": ext(10, pack(["no", 0, None])),
        "datetime zone": ext(10, pack(["2024-01-01T00:00:00", 0, "UTC"])),
        "datetime fold": ext(10, pack(["2024-01-01T00:00:00", 9, None])),
        "timedelta": ext(13, pack([10**12, 0, 0])),
        "timezone": ext(14, pack([1, None])),
        "zone": ext(15, pack("../../etc/passwd")),
        "zone directory": ext(15, pack("America")),
        "zone nul": ext(15, pack("a\0b")),
        "zone long": ext(15, pack("a" * 100_000)),
        "decimal": ext(16, pack("one")),
        "fraction zero": ext(17, pack([1, 0])),
        "fraction large": ext(17, pack([Ext(7, b"\x01" * 600), 3])),
        "fraction text": ext(17, pack(["1", "2"])),
        "uuid": ext(18, b"\xc4\x01x"),
        "path": ext(21, pack(5)),
        "range": ext(23, pack([0, 1, 0])),
        "odd mapping": ext(1, pack([1])),
        "factory": ext(27, pack(["eval", []])),
        "deque": ext(28, pack([-1, []])),
        "surrogates": ext(8, pack(b"\xff\xff")),
        "object": ext(2, pack(["os.system", "true"])),
        "object shape": ext(2, pack([1, 2])),
        "no payload": ext(3, b""),
        "unknown code": ext(127, b""),
        "windows path": ext(22, pack("C:\\x")),
    }


@pytest.mark.parametrize("name", hostile_payloads())
def test_law_9_hostile_payloads_are_refused(name: str) -> None:
    with pytest.raises(RecordError):
        AutoSerializer(TypeTable()).decode(hostile_payloads()[name])


def test_law_9_unsupported_records_are_told_from_corrupt_ones() -> None:
    auto = AutoSerializer(TypeTable())
    for name in ("unknown code", "object", "windows path"):
        with pytest.raises(UnsupportedRecordError):
            auto.decode(hostile_payloads()[name])
    with pytest.raises(CorruptRecordError):
        auto.decode(hostile_payloads()["huge array"])


def test_law_9_hostile_payloads_are_refused_in_a_thread() -> None:
    """The stack of a thread is smaller than that of the main thread."""
    auto = AutoSerializer(TypeTable())
    refused = []

    def work() -> None:
        for payload in hostile_payloads().values():
            try:
                auto.decode(payload)
            except RecordError:
                refused.append(payload)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(refused) == len(hostile_payloads())


BOUNDED = """
import resource, sys
from tiered_cache.codec.auto_serializer import AutoSerializer
from tiered_cache.codec.type_table import TypeTable
from tiered_cache.contracts import NotPlain
from tiered_cache.errors import RecordError
auto = AutoSerializer(TypeTable())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
for head in (b"\\xdd", b"\\xdf", b"\\xc6", b"\\xdb", b"\\xc9"):
    for size in (b"\\xff\\xff\\xff\\xff", b"\\x10\\0\\0\\0"):
        for times in (1, 100):
            try:
                auto.decode((head + size) * times)
            except RecordError:
                continue
            sys.exit("accepted")
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
sys.exit(f"{grown} KiB" if grown > 20_000 else 0)
"""


@pytest.mark.proves("law-10/claimed-lengths")
def test_law_10_a_claimed_length_reserves_no_memory() -> None:
    done = subprocess.run([sys.executable, "-c", BOUNDED], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
