"""The golden records, which every reader of format version 1 must be able to read for ever.

Run it to write the files of samples that have none yet: `python tests/golden/generate.py`. It
never replaces a file: a record that is written differently now is a change of the format.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import fractions
import math
import pathlib
import types
import uuid
from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any, NamedTuple

from tiered_cache.codec import RecordCodec, TypeTable
from tiered_cache.contracts import Reach
from tiered_cache.entry import Entry

NAMESPACE = "golden"
SHARED_KEY = b"the golden secret, which is public"


class Level(enum.Enum):
    """A registered type."""

    LOW = 1


class Point(NamedTuple):
    """Another registered type."""

    x: int
    y: int


class Sample(NamedTuple):
    """A record: the entry and the key that it is written under, and whether it is signed."""

    entry: Entry
    key: str = "key"
    signed: bool = False


def codec(*, signed: bool) -> RecordCodec:
    """The codec that writes and reads the samples."""
    registry = TypeTable()
    registry.register(Level, name="golden.Level")
    registry.register(Point, name="golden.Point")
    return RecordCodec(NAMESPACE, registry=registry, shared_key=SHARED_KEY if signed else None)


def record(sample: Sample) -> bytes:
    """The record of `sample`."""
    return codec(signed=sample.signed).encode(sample.key, sample.entry, Reach.CLUSTER)


def _of(value: Any) -> Entry:
    return Entry(value, created_s=1_700_000_000.0)


_MOMENT = dt.datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=dt.UTC)

SAMPLES: dict[str, Sample] = {
    "none": Sample(_of(None)),
    "plain": Sample(
        _of({"text": "é", "ints": [0, -1, 2**63], "float": 1.5, "bytes": b"\x00\xff", "no": False})
    ),
    "keys": Sample(_of({1: "a", None: "b", 2.5: "c", b"d": True})),
    "metadata": Sample(
        Entry(
            "value",
            created_s=1_700_000_000.125,
            fresh_until_s=1_700_003_600.5,
            stale_until_s=1_700_007_200.75,
            cost_s=12.625,
            tags={"repo:x": 0, "lang:é": 0},
            generation=2**40 + 1,
        ),
        key="analyze:src/é.py",
    ),
    "no-limit-when-stale": Sample(
        Entry(1, created_s=0.0, fresh_until_s=60.0, stale_until_s=math.inf)
    ),
    "containers": Sample(
        _of([(1, (2,)), {3}, frozenset({4}), bytearray(b"b"), {(1, 2): (3,)}, range(1, 9, 2)])
    ),
    "numbers": Sample(
        _of([2**64, -(2**70), complex(1, -2), decimal.Decimal("1.50"), fractions.Fraction(1, 3)])
    ),
    "times": Sample(
        _of(
            [
                _MOMENT,
                _MOMENT.replace(tzinfo=None, fold=1),
                _MOMENT.date(),
                _MOMENT.timetz(),
                dt.timedelta(days=-1, microseconds=5),
                dt.timezone(dt.timedelta(hours=2), "here"),
            ]
        )
    ),
    "names": Sample(
        _of(
            [
                "lone \ud800",
                uuid.UUID(int=1),
                pathlib.PurePosixPath("/a"),
                pathlib.PureWindowsPath("C:\\a"),
                pathlib.PosixPath("b"),
            ]
        )
    ),
    "collections": Sample(
        _of(
            [
                OrderedDict([("b", 1), ("a", 2)]),
                Counter({"x": 2}),
                defaultdict(list, {"k": [1]}),
                deque([1, 2], maxlen=2),
                slice(1, None, 2),
            ]
        )
    ),
    "registered": Sample(_of({"level": Level.LOW, "points": [Point(1, 2)]})),
    "signed": Sample(_of({"a": (1,)}), signed=True),
    "pickled": Sample(_of(types.SimpleNamespace(a=[1], b="x")), signed=True),
}


def main() -> None:
    """Write the files that are missing."""
    for name, sample in SAMPLES.items():
        path = pathlib.Path(__file__).with_name(f"{name}.bin")
        if not path.exists():
            path.write_bytes(record(sample))
            print(f"wrote {path}")


if __name__ == "__main__":
    main()
