"""User-defined types in records: the kinds of classes, round trips and refusals."""

from __future__ import annotations

import dataclasses
import enum
from functools import cached_property
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import attrs
import msgspec
import pydantic
import pydantic.dataclasses
import pytest

from tiered_cache.codec.auto_serializer import AutoSerializer
from tiered_cache.codec.type_table import TypeTable
from tiered_cache.contracts import NotPlain
from tiered_cache.errors import ConfigurationError, CorruptRecordError, UnsupportedRecordError

T = TypeVar("T")


class Level(enum.Enum):
    LOW = (1, 2)
    HIGH = "high"


class Name(enum.StrEnum):
    A = "a"


class Number(enum.IntEnum):
    ONE = 1


class Bits(enum.Flag):
    X = 1
    Y = 2


class Point(NamedTuple):
    x: int
    y: tuple[int, ...] = ()


class Row(Point):
    """A class without slots, so that an object can have extra attributes."""


@dataclasses.dataclass
class Report:
    path: str
    points: list[Point]
    level: Level = Level.LOW
    total: int = dataclasses.field(init=False, default=0)
    shared: ClassVar[int] = 1
    runs: ClassVar[int] = 0

    def __post_init__(self) -> None:
        type(self).runs += 1
        self.total += len(self.points)

    @cached_property
    def expensive(self) -> int:
        return 42


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    a: int
    b: frozenset[str] = frozenset()


@dataclasses.dataclass
class WithInitVar:
    a: int
    start: dataclasses.InitVar[int]

    def __post_init__(self, start: int) -> None:
        self.a += start


@dataclasses.dataclass
class Box(Generic[T]):
    item: T


class UndecoratedReport(Report):
    pass


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    path: str = pydantic.Field(alias="filePath")
    points: tuple[int, ...] = ()
    child: Model | None = None
    _private: int = pydantic.PrivateAttr(default=1)


@pydantic.dataclasses.dataclass
class Checked:
    a: int


class Struct(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    first_name: str
    tags: set[str] = msgspec.field(default_factory=set)


class Growing(msgspec.Struct):
    a: int

    def __post_init__(self) -> None:
        self.a += 1


class Plain:
    def __init__(self, a: int) -> None:
        self.a = a

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plain) and other.a == self.a

    def __hash__(self) -> int:
        return hash(self.a)

    def __repr__(self) -> str:
        return f"Plain({self.a!r})"


KINDS: tuple[type[Any], ...] = (
    Level, Name, Number, Bits, Point, Row, Report, Frozen, WithInitVar, Box, Model, Checked, Struct,
    Growing,
)  # fmt: skip


def a_serializer() -> AutoSerializer:
    registry = TypeTable()
    for kind in KINDS:
        registry.register(kind)
    registry.register(Plain, to_plain=lambda value: value.a, from_plain=Plain)
    return AutoSerializer(registry)


def a_model() -> Model:
    model = Model(filePath="a", points=(1, 2), extra_field={"x": (1,)})  # type: ignore[call-arg] # extra="allow"
    model._private = 5
    model.child = Model(filePath="b")
    return model


VALUES: tuple[Any, ...] = (
    Level.LOW,
    Level.HIGH,
    Name.A,
    Number.ONE,
    Bits.X,
    Bits.X | Bits.Y,
    Bits(0),
    Point(1),
    Point(1, (2, 3)),
    Row(1, (2,)),
    Report("a", [Point(1)], Level.HIGH),
    Frozen(a=1, b=frozenset({"x"})),
    WithInitVar(1, start=2),
    Box[int](5),
    a_model(),
    Checked(1),
    Struct(first_name="x", tags={"y"}),
    Growing(1),
    Plain(3),
    {Point(1): [Frozen(a=1)], Level.LOW: (Name.A, {Number.ONE})},
)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_objects_come_back_exactly(value: Any) -> None:
    auto = a_serializer()
    again = auto.decode(auto.encode(value))
    assert type(again) is type(value)
    assert again == value
    assert repr(again) == repr(value)
    if isinstance(value, enum.Enum):
        assert again is value


def test_the_state_of_a_model_comes_back() -> None:
    auto = a_serializer()
    model = a_model()
    again = auto.decode(auto.encode(model))
    assert again._private == 5
    assert again.model_fields_set == model.model_fields_set
    assert again.model_extra == {"extra_field": {"x": (1,)}}
    assert type(again.child) is Model


@pytest.mark.proves("law-9/types-looked-up")
def test_law_9_reading_runs_no_post_init() -> None:
    auto = a_serializer()
    data = auto.encode(Report("a", []))
    runs = Report.runs
    assert auto.decode(data).total == 0
    assert Report.runs == runs


def test_attributes_that_are_no_fields_are_not_kept() -> None:
    auto = a_serializer()
    report = Report("a", [])
    assert report.expensive == 42
    again = auto.decode(auto.encode(report))
    assert "expensive" not in vars(again)
    assert again.expensive == 42


def test_attrs_classes_come_back_exactly() -> None:
    registry = TypeTable()
    auto = AutoSerializer(registry)
    for slots in (True, False):
        for cache_hash in (True, False):
            cls = attrs.make_class(
                "Made", ["a", "b"], frozen=True, slots=slots, cache_hash=cache_hash
            )
            registry.register(cls, name=f"made {slots} {cache_hash}")
            value = cls((1,), "x")
            again = auto.decode(auto.encode(value))
            assert type(again) is cls
            assert again == value
            assert hash(again) == hash(value)


def test_only_exactly_the_registered_type_counts() -> None:
    registry = TypeTable()
    registry.register(Report)
    with pytest.raises(NotPlain, match="UndecoratedReport"):
        AutoSerializer(registry).encode(UndecoratedReport("a", []))


def test_attributes_beside_the_fields_of_a_named_tuple_are_not_lost() -> None:
    row = Row(1)
    row.extra = 1  # type: ignore[attr-defined] # that is the point
    with pytest.raises(NotPlain, match="attributes that are not fields"):
        a_serializer().encode(row)


def test_types_may_be_registered_later() -> None:
    registry = TypeTable()
    auto = AutoSerializer(registry)
    with pytest.raises(NotPlain, match=r"Point, which is not a registered type"):
        auto.encode(Point(1))
    registry.register(Point)
    assert auto.decode(auto.encode(Point(1))) == Point(1)


def test_register_is_a_decorator_and_may_be_repeated() -> None:
    registry = TypeTable()
    assert registry.register(Point) is Point
    assert registry.register(Point) is Point
    found = registry.by_type(Point)
    assert found is not None
    assert found.name == f"{Point.__module__}.Point"
    assert registry.by_name(found.name) == found


@pytest.mark.proves("law-9/types-looked-up")
def test_law_9_names_are_looked_up_and_never_imported() -> None:
    data = msgspec.msgpack.encode(["antigravity.Nothing", {}])
    payload = msgspec.msgpack.encode(msgspec.msgpack.Ext(2, data))
    with pytest.raises(UnsupportedRecordError, match="not a registered type"):
        a_serializer().decode(payload)


def test_law_9_changed_fields_are_refused() -> None:
    old, new = TypeTable(), TypeTable()
    old.register(Frozen, name="same")
    new.register(Point, name="same")
    with pytest.raises(UnsupportedRecordError, match="other fields"):
        AutoSerializer(new).decode(AutoSerializer(old).encode(Frozen(a=1)))


@pytest.mark.parametrize(
    ("cls", "plain"),
    [
        (Level, "GONE"),
        (Level, []),
        (Bits, "X"),
        (Bits, 99),
        (Point, {"x": 1}),
        (Point, [1, 2]),
        (Report, {"path": 1}),
        (Frozen, None),
        (Model, [{}, None, [], None]),
        (Model, {}),
        (Struct, {"first_name": "x"}),
        (Plain, [1, 2]),
    ],
)
def test_law_9_hostile_objects_are_refused(cls: type[Any], plain: object) -> None:
    name = f"{cls.__module__}.{cls.__qualname__}"
    data = msgspec.msgpack.encode([name, plain])
    payload = msgspec.msgpack.encode(msgspec.msgpack.Ext(2, data))
    auto = a_serializer()
    if cls is Plain:
        assert auto.decode(payload) == Plain([1, 2])  # type: ignore[arg-type] # its own from_plain takes it
        return
    with pytest.raises((CorruptRecordError, UnsupportedRecordError)):
        auto.decode(payload)


@pytest.mark.parametrize("boundary", [enum.CONFORM, enum.EJECT, enum.STRICT])
def test_law_9_unknown_flags_are_refused_whatever_the_boundary(boundary: enum.FlagBoundary) -> None:
    made_by: Any = enum.Flag  # a checker knows no boundary here
    flags = made_by("Flags", "X Y", boundary=boundary)
    registry = TypeTable()
    registry.register(flags, name="flags")
    auto = AutoSerializer(registry)
    assert auto.decode(auto.encode(flags.X | flags.Y)) == flags.X | flags.Y
    data = msgspec.msgpack.encode(["flags", 99])
    with pytest.raises((CorruptRecordError, UnsupportedRecordError)):
        auto.decode(msgspec.msgpack.encode(msgspec.msgpack.Ext(2, data)))


class Abstract(enum.Enum):
    pass


@dataclasses.dataclass
class FailedError(Exception):
    code: int


@pytest.mark.parametrize(
    ("cls", "said"),
    [
        (int, "register user-defined classes only"),
        (dict, "register user-defined classes only"),
        (list[int], "register user-defined classes only"),
        (Plain, "register it with to_plain= and from_plain="),
        (UndecoratedReport, "register it with to_plain= and from_plain="),
        (FailedError, "can't be made field by field"),
    ],
)
def test_classes_that_can_not_be_registered(cls: type[Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        TypeTable().register(cls)


def test_names_that_identify_nothing_are_refused() -> None:
    class Local(NamedTuple):
        a: int

    registry = TypeTable()
    with pytest.raises(ConfigurationError, match="inside a function"):
        registry.register(Local)
    registry.register(Local, name="local")
    with pytest.raises(ConfigurationError, match="already the name of another class"):
        registry.register(Point, name="local")
    with pytest.raises(ConfigurationError, match="already registered, as 'local'"):
        registry.register(Local, name="other")
    with pytest.raises(ConfigurationError, match="both to_plain= and from_plain="):
        registry.register(Plain, to_plain=lambda value: value.a)
