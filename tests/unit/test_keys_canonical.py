"""The canonical encoding of arguments: distinct keys, and refusals."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import itertools
import json
import math
import os.path
import pathlib
import subprocess
import sys
import threading
import uuid
from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any, NamedTuple

import attrs
import msgspec
import pydantic
import pytest
import xxhash

from tiered_cache.errors import InvalidKeyError
from tiered_cache.keys import DIGEST_LENGTH, arguments_key
from tiered_cache.keys.canonical import encode
from tiered_cache.keys.encoding import text


class Color(enum.Enum):
    RED = 1
    ALSO_RED = 1  # noqa: PIE796 - an alias, which is the same member
    BLUE = 2


class Shade(enum.Enum):
    RED = 1


class Bits(enum.Flag):
    A = 1
    B = 2


class Number(enum.IntEnum):
    ONE = 1


class Pair(NamedTuple):
    a: Any
    b: Any = None


class Twin(NamedTuple):
    a: Any
    b: Any = None


@dataclasses.dataclass
class Config:
    a: Any
    b: Any = dataclasses.field(default=None, compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    a: Any
    b: Any = None


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    a: Any
    b: Any = None
    _private: int = pydantic.PrivateAttr(default=1)


class Struct(msgspec.Struct):
    a: Any
    b: Any = None


class Source:
    def __init__(self, digest: Any) -> None:
        self.digest = digest

    def __cache_key__(self) -> Any:
        return self.digest


class OtherSource(Source):
    pass


class Opaque:
    pass


@dataclasses.dataclass
class Base:
    a: int


class Undecorated(Base):
    def __init__(self, a: int, extra: int) -> None:
        super().__init__(a)
        self.extra = extra


class Text(str):
    __slots__ = ()


def function() -> None:
    """A function of this module."""


def a_private_model() -> Model:
    model = Model(a=1)
    model._private = 2
    return model


MOMENT = dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC)

DIFFERENT: list[Any] = [
    None, False, True, 0, 1, -1, 0x10, 10, 2**64, -(2**64), 10**5000, 0.0, -0.0, 1.0, 1.5,
    math.inf, -math.inf, math.nan, complex(1, 0), complex(1, -0.0), complex(0, 1),
    "", "1", "None", "a", "é", "e\u0301", "\ud800", "1:a", b"", b"1", b"a",
    bytearray(b"a"), (), [], {}, set(), frozenset(), (1,), [1], {1}, frozenset({1}), {1: None},
    (1, 2), (2, 1), [1, 2], ((1,), 2), (1, (2,)), ((1, 2),), [[1, 2]], [[1], [2]], [[], [1, 2]],
    [None], [None, None], [[None]], ["a", "b"], ["ab"], ["ab", ""], ["", "ab"], ["a", "b", ""],
    {"a": 1}, {"a": 2}, {"b": 1}, {"a": 1, "b": 2}, {"a": {"b": 1}}, {("a", 1): None},
    {1: "a"}, {1.5: "a"}, {"1": "a"}, {b"1": "a"}, {True: "a"}, [("a", 1)], (("a", 1),),
    {1, 2}, {1, 3}, {(1, 2)}, {frozenset({1})}, {"1"}, {b"1"}, [None, {}], [None, decimal.Decimal()],
    range(3), range(0, 3, 2), slice(3), slice(0, 3), ...,
    MOMENT, MOMENT.replace(tzinfo=None), MOMENT.replace(tzinfo=None, fold=1), MOMENT.date(),
    MOMENT.time(), MOMENT.timetz(), MOMENT.isoformat(), str(MOMENT.date()),
    MOMENT.replace(tzinfo=dt.timezone(dt.timedelta(hours=1))), dt.timedelta(1), dt.timedelta(0, 1),
    dt.UTC, dt.timezone(dt.timedelta(0), "other"), dt.timezone(dt.timedelta(hours=1)),
    decimal.Decimal(1), decimal.Decimal("1.0"), decimal.Decimal("NaN"), fractions.Fraction(1),
    fractions.Fraction(1, 2), uuid.UUID(int=1), str(uuid.UUID(int=1)),
    pathlib.PurePosixPath("a"), pathlib.PosixPath("a"), pathlib.PureWindowsPath("a"),
    pathlib.PosixPath("b"), pathlib.PosixPath("a\udcff"),
    OrderedDict(a=1, b=2), OrderedDict(b=2, a=1), Counter("ab"), defaultdict(int, {"a": 1, "b": 1}),
    defaultdict(None, {"a": 1, "b": 1}), deque([1, 2]), deque([1, 2], maxlen=2),
    Color.RED, Color.BLUE, Shade.RED, Bits.A, Bits.A | Bits.B, Bits(0), Number.ONE,
    Pair(1), Pair(None, 1), Pair(1, 2), Twin(1), Config(1), Config(1, 2), Slotted(1), Model(a=1),
    Model.model_validate({"a": 1, "c": 2}), a_private_model(), Struct(1), Struct(None, 1), Config(Config(1)),
    Config({"a": 1}), Source(1), Source("1"), OtherSource(1), [Source(1)],
    function, Opaque, Color, len, math.sqrt, int, Model,
]  # fmt: skip


@pytest.mark.proves("keys/types-differ")
def test_different_values_have_different_keys() -> None:
    made: dict[str, Any] = {}
    for value in DIFFERENT:
        key = arguments_key("f", {"x": value})
        assert key not in made, (made.get(key), value)
        made[key] = value


def test_no_encoding_is_the_beginning_of_another() -> None:
    encoded = sorted(encode(value) for value in DIFFERENT)
    for one, two in itertools.pairwise(encoded):
        assert not two.startswith(one)


def test_names_and_values_do_not_run_together() -> None:
    made = {
        arguments_key("f", arguments)
        for arguments in (
            {"a": "b"}, {"ab": ""}, {"": "ab"}, {"a": "", "b": ""}, {"a": 1, "b": 2},
            {"a": 2, "b": 1}, {}, {"a": {"b": 1}},
        )
    }  # fmt: skip
    assert len(made) == 8


def test_keys_are_the_prefix_and_160_bits() -> None:
    key = arguments_key("m.f", {"x": 1})
    assert key.startswith("m.f:sha256-")
    assert len(bytes.fromhex(key.removeprefix("m.f:sha256-"))) == 20


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({1, 2, 3, "a", "b"}, {"b", "a", 3, 2, 1}),
        (Counter("ab"), Counter("ba")),
        (Color.RED, Color.ALSO_RED),
        (math.nan, -math.nan),
        (Config({"a": 1, "b": 2}), Config({"b": 2, "a": 1})),
        (pathlib.Path("a/b"), pathlib.Path("a") / "b"),
    ],
)
def test_equal_values_have_equal_keys(one: Any, two: Any) -> None:
    assert arguments_key("f", {"x": one}) == arguments_key("f", {"x": two})


def test_attrs_objects_have_keys_by_their_fields() -> None:
    made = attrs.make_class("Made", ["a", "b"])
    other = attrs.make_class("Other", ["a", "b"])
    assert encode(made(1, 2)) == encode(made(1, 2))
    assert len({encode(each) for each in (made(1, 2), made(2, 1), other(1, 2))}) == 3


class Meta(type):
    pass


class WithMeta(metaclass=Meta):
    pass


def test_classes_with_metaclasses_are_named() -> None:
    assert encode(WithMeta) != encode(Opaque)


def a_local_function() -> Any:
    def inner() -> None: ...

    return inner


def a_local_class() -> type:
    class Inner:
        pass

    return Inner


def a_wrapper() -> Any:
    def wrapper() -> None: ...

    wrapper.__qualname__, wrapper.__module__ = function.__qualname__, function.__module__
    return wrapper


@dataclasses.dataclass
class Row(dict[str, int]):
    """A dataclass with contents besides its fields."""

    name: str


class FaultError(ValueError):
    """An attrs class with contents besides its fields."""

    __attrs_attrs__ = ()


class Place(NamedTuple):
    name: str


class Marked(Place):
    """A NamedTuple with an attribute besides its fields."""

    def __init__(self, *_: object) -> None:
        self.mark = 1


@pytest.mark.proves("keys/no-stable-encoding")
@pytest.mark.parametrize(
    "value",
    [
        Row("a"),
        FaultError("x"),
        Marked("a"),
        Opaque(),
        object(),
        lambda: None,
        a_local_function(),
        a_local_class(),
        a_wrapper(),
        Opaque().__init__,  # type: ignore[misc] # a bound method
        [].append,
        Undecorated(1, 2),
        Text("a"),
        memoryview(b"a"),
        threading.Lock(),
        iter([]),
        (each for each in [1]),
        list[int],
        sys,
        defaultdict(lambda: 0),
        ValueError("x"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_arguments_without_a_stable_key_are_refused_with_the_ways_out(value: Any) -> None:
    with pytest.raises(InvalidKeyError) as caught:
        arguments_key("m.f", {"config": value})
    said = str(caught.value)
    assert said.startswith("Argument 'config'")
    for way in ("m.f", "__cache_key__()", "give key="):
        assert way in said


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"x": [Opaque()]}, "'config'['x'][0] of m.f is a "),
        ([1, (2, {"k": Opaque()})], "'config'[1][1]['k'] of"),
        ({5: Opaque()}, "'config'[5] of"),
        ({(1,): Opaque()}, "'config'[…] of"),
        ({Opaque(): 1}, "'config'[…] of"),
        ({Opaque()}, "'config'{…} of"),
        (Config([Opaque()]), "'config'['a'][0] of"),
        (Source([Opaque()]), "'config'.__cache_key__()[0] of"),
        (Source(Source(Opaque())), "'config'.__cache_key__().__cache_key__() of"),
    ],
    ids=lambda part: part if isinstance(part, str) else type(part).__name__,
)
def test_the_message_says_where(value: Any, place: str) -> None:
    with pytest.raises(InvalidKeyError) as caught:
        arguments_key("m.f", {"config": value})
    assert f"Argument {place}" in str(caught.value)


def test_no_long_text_gets_into_the_message() -> None:
    with pytest.raises(InvalidKeyError) as caught:
        arguments_key("m.f", {"config": {"x" * 10_000: Opaque()}})
    assert len(str(caught.value)) < 400


def cycles() -> list[Any]:
    items: list[Any] = []
    items.append(items)
    mapping: dict[str, Any] = {}
    mapping["self"] = (mapping,)
    config = Config(None)
    config.a = config
    source = Source(None)
    source.digest = source
    queue: deque[Any] = deque()
    queue.append(queue)
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    return [items, mapping, config, source, queue, deep]


@pytest.mark.parametrize("index", range(6))
def test_arguments_that_contain_themselves_are_refused(index: int) -> None:
    with pytest.raises(InvalidKeyError, match="contains itself or more than"):
        arguments_key("m.f", {"x": cycles()[index]})


ELSEWHERE = """
import json, sys, pathlib, datetime as dt, enum, dataclasses
from tiered_cache.keys import FunctionKey, arguments_key
class Color(enum.Enum):
    RED = 1
@dataclasses.dataclass
class Config:
    names: set
    by_name: dict
    color: Color
def analyze(path, *rest, config=None, **options): ...
names = json.loads(sys.argv[1])
value = {
    "set": set(names), "frozen": frozenset(map(tuple, names)), "dict": dict.fromkeys(names, 1),
    "nested": {n: {m: {n, m} for m in names} for n in names},
    "objects": {(dt.date(2024, 1, 2), pathlib.PurePosixPath("a"), Color.RED, None, 1.5)},
}
config = Config(set(names), {n: 1 for n in names}, Color.RED)
make = FunctionKey(analyze)
print(arguments_key("f", value))
print(make(("a", *sorted(names)), {"config": config, **{n: 1 for n in names}}))
"""


@pytest.mark.proves("keys/same-everywhere")
def test_keys_are_the_same_in_every_process(tmp_path: pathlib.Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(ELSEWHERE)
    answers = set()
    names = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"]
    for seed in ("0", "1", "2", "4294967295", "random"):
        names = names[3:] + names[:3]
        done = subprocess.run(
            [sys.executable, str(script), json.dumps(names)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        answers.add(done.stdout)
    assert len(answers) == 1


_SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
    "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
    "3c2852bb91c300cb88d0658b532ea371644897a20df94e3819ef46a9deacd8a8"
    "fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364ea"
    "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e"
    "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
)
"""The default secret of XXH3, which is public."""


def _colliding_texts(offset: int) -> tuple[bytes, bytes]:
    """Two byte strings that XXH3-128 can't tell apart, `offset` bytes behind the beginning of its input.

    A lane is multiplied by zero if its low half equals the secret's, so that only its sum with other such
    lanes counts: two lanes of two stripes can exchange their high halves.
    """
    texts = []
    at = -offset % 64  # the first whole stripe inside of the text
    stripe = (offset + at) // 64
    for halves in ((1, 2), (2, 1)):
        text = bytearray(1024)
        for number, half in enumerate(halves):
            lane = int.from_bytes(_SECRET[8 * (stripe + number) :][:8], "little")
            low = lane & 0xFFFFFFFF
            begin = at + 64 * number
            text[begin : begin + 8] = (low | half << 32).to_bytes(8, "little")
        texts.append(bytes(text))
    return texts[0], texts[1]


def test_texts_that_collide_under_a_checksum_have_two_keys() -> None:
    """Texts of strangers with one key would give one the analysis of the other."""
    name = text(b"s", "source")
    one, other = _colliding_texts(len(name) + len(encode(bytes(1024))) - 1024)
    assert one != other
    checksums = [xxhash.xxh3_128_digest(name + encode(each)) for each in (one, other)]
    assert checksums[0] == checksums[1], "the attack on an unkeyed checksum works"
    assert arguments_key("f", {"source": one}) != arguments_key("f", {"source": other})


def test_a_key_names_its_digest() -> None:
    key = arguments_key("f", {"x": 1})
    prefix, digest = key.split(":")
    assert (prefix, digest[:7], len(digest)) == ("f", "sha256-", DIGEST_LENGTH)
