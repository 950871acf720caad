"""Types of programs and of installed packages, in records without pickle."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.installed_package import install
from tiered_cache import (
    AsyncTieredCache,
    CacheManager,
    DiskTier,
    MemoryTier,
    TieredCache,
    configure,
    tiered,
)
from tiered_cache.codec import RecordCodec, TypeTable
from tiered_cache.contracts import NotPlain, Reach, TypeRegistry
from tiered_cache.entry import Entry
from tiered_cache.errors import ConfigurationError, SerializationError, UnsupportedRecordError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass
class Report:
    path: str


class Base:
    """A class without a mechanism."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    __hash__ = None  # type: ignore[assignment] # mutable


class Small(Base):
    """A subclass."""


class Large(Base):
    """Another one."""


def to_plain(value: Base) -> object:
    if value.number < 0:
        msg = "it contains a negative number"
        raise NotPlain(msg)
    return [type(value).__name__, value.number]


def from_plain(plain: Any) -> Base:
    name, number = plain
    kinds = {kind.__name__: kind for kind in (Base, Small, Large)}
    return kinds[name](number)


def register(registry: TypeRegistry) -> None:
    registry.register(Base, to_plain=to_plain, from_plain=from_plain, subclasses=True)


def encoded(codec: RecordCodec, value: object) -> bytes:
    """The record for a tier that hosts share, which needs a plain value."""
    return codec.encode("key", Entry(value, created_s=1.0), Reach.CLUSTER)


def is_stored(cache: TieredCache, value: object) -> bool:
    """Whether a disk tier holds a value without a signature."""
    codec = cache.codec
    assert isinstance(codec, RecordCodec)
    return bool(codec.decode("key", encoded(codec, value)).value == value)


def by_cache(path: Path) -> TieredCache:
    return TieredCache([MemoryTier(), DiskTier(path)], types=[Report, register])


def by_async_cache(path: Path) -> TieredCache:
    face: Any = AsyncTieredCache([MemoryTier(), DiskTier(path)], types=[Report, register])
    return face  # type: ignore[no-any-return] # only its codec is asked


def by_manager(path: Path) -> TieredCache:
    manager = CacheManager("disk", disk={"path": str(path)}, types=[Report, register])
    return manager.get_cache().tiered


def by_configure(path: Path) -> TieredCache:
    return configure(disk={"path": str(path)}, types=[Report, register])


@pytest.mark.parametrize("make", [by_cache, by_async_cache, by_manager, by_configure])
def test_types_are_given_to_each_face(make: Callable[[Path], TieredCache], tmp_path: Path) -> None:
    cache = make(tmp_path)
    for value in (Report("a.py"), Base(1), Small(2), Large(3), [Small(4)]):
        assert is_stored(cache, value)
    configure(tiers=["memory"])
    assert tiered.get("key") is None


def test_what_is_not_plain_is_stored_as_if_its_type_were_not_registered(tmp_path: Path) -> None:
    codec = RecordCodec("default", host_key_path=tmp_path / "key")
    register(codec.registry)
    with pytest.raises(SerializationError, match="it contains a negative number"):
        encoded(codec, [Small(-1)])
    record = codec.encode("key", Entry([Small(-1)], created_s=1.0), Reach.HOST)
    assert codec.decode("key", record).value == [Small(-1)], "pickled"


def test_a_subclass_may_be_registered_itself() -> None:
    codec = RecordCodec("default")
    register(codec.registry)
    codec.registry.register(
        Small, to_plain=lambda small: small.number + 1, from_plain=lambda plain: Small(plain - 1)
    )
    assert codec.decode("key", encoded(codec, [Small(5), Large(5)])).value == [Small(5), Large(5)]


@pytest.mark.parametrize(
    ("types", "message"),
    [
        ([Base], "Base is not an Enum, NamedTuple, dataclass"),
        (["Report"], "types='Report' must be a list of classes"),
    ],
)
def test_wrong_types_are_refused(types: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        TieredCache([MemoryTier()], types=types)
    with pytest.raises(ConfigurationError, match="needs to_plain= and from_plain="):
        TypeTable().register(Report, subclasses=True)
    with pytest.raises(ConfigurationError, match="a cache, or types"):
        configure(TieredCache([MemoryTier()]), types=[Report])


@pytest.mark.parametrize("wrong", [3, [3], "Report", Report, None])
def test_wrong_types_are_refused_at_once_by_every_face(wrong: Any) -> None:
    for take in (
        lambda: TieredCache([MemoryTier()], types=wrong),
        lambda: CacheManager("memory", types=wrong),
        lambda: configure(tiers=["memory"], types=wrong),
    ):
        with pytest.raises(ConfigurationError, match="must be a list of classes"):
            take()


def test_the_annotation_of_a_function_leaves_registered_types_alone(tmp_path: Path) -> None:
    def make() -> TieredCache:
        return TieredCache([DiskTier(tmp_path)], types=[register])

    with make() as cache:

        @cache.cached
        def compute() -> Small:
            return Small(3)

        assert compute() == Small(3)
        (key,) = cache.keys()
    with make() as cache:
        assert cache.get(key) == Small(3), "by the registration of its base"


def test_types_need_a_codec_with_a_registry() -> None:
    class Bare:
        fingerprint = created_at = as_of = is_computed = encode = decode = None

    bare: Any = Bare()
    with pytest.raises(ConfigurationError, match="Bare has none: leave types= out"):
        TieredCache([MemoryTier()], codec=bare, types=[Report])


MODULE = """
class Point:
    def __init__(self, x):
        self.x = x

    def __repr__(self):
        return f"Point({self.x})"

class Other:
    pass
"""
DECLARATION = """
import acme_points

def misnamed(registry):
    registry.register(
        acme_points.Point, name="point", to_plain=lambda point: point.x, from_plain=acme_points.Point
    )

def register(registry):
    registry.register(
        acme_points.Point, to_plain=lambda point: point.x, from_plain=acme_points.Point
    )

def fail(registry):
    raise OSError("broken")
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module with types, and a package that declares one of them."""
    folder = tmp_path / "site"
    points = {"tiered_cache.types": {"acme_points": "acme_points_types:register"}}
    install(folder, "acme-points-types", points, version="1.2")
    (folder / "acme_points.py").write_text(MODULE)
    (folder / "acme_points_types.py").write_text(DECLARATION)
    monkeypatch.syspath_prepend(folder)
    return folder


def run(program: str, package: Path) -> str:
    """What a program prints, in a process of its own: entry points are read once in a process."""
    path = os.pathsep.join([*(each for each in sys.path if each), str(package)])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout + done.stderr


def test_types_of_an_installed_package_are_known_to_every_process(package: Path) -> None:
    program = """
import sys
from tiered_cache import DiskTier, TieredCache
with TieredCache([DiskTier("shared")]) as cache:
    cache.set("plain", 1)
    assert "acme_points_types" not in sys.modules, "nothing is imported before it is needed"
    import acme_points
    cache.set("point", [acme_points.Point(5)])
    assert "acme_points_types" in sys.modules
"""
    assert run(program, package) == ""
    program = """
from tiered_cache import DiskTier, TieredCache
with TieredCache([DiskTier("shared")]) as cache:
    print(cache.get("point"))
"""
    assert run(program, package) == "[Point(5)]\n"
    command = """
import sys
from tiered_cache.cli import main
sys.exit(main(["get", "point"]))
"""
    for name, value in {"DISK__PATH": "shared", "TIERS": "disk"}.items():
        command = f"import os; os.environ['TIERED_CACHE_{name}'] = {value!r}\n{command}"
    assert run(command, package) == "[Point(5)]\n"


def test_errors_name_the_type_and_the_package_that_declares_its_module(package: Path) -> None:
    program = """
from tiered_cache.codec import RecordCodec
from tiered_cache.contracts import Reach
from tiered_cache.entry import Entry
import acme_points
codec = RecordCodec("default")
try:
    codec.encode("key", Entry(acme_points.Other(), created_s=1.0), Reach.CLUSTER)
except Exception as error:
    print(error)
"""
    told = "acme_points.Other, which acme-points-types 1.2 does not register, although it declares"
    assert told in run(program, package)


def test_a_name_by_which_no_process_finds_the_declaration_is_refused(package: Path) -> None:
    info = package / "acme_points_types-1.2.dist-info" / "entry_points.txt"
    info.write_text("[tiered_cache.types]\nacme_points = acme_points_types:misnamed\n")
    program = """
from tiered_cache import DiskTier, TieredCache
import acme_points
with TieredCache([DiskTier("shared")]) as cache:
    cache.set("point", acme_points.Point(5))
"""
    assert "does not begin with 'acme_points', the name of its entry point" in run(program, package)


@pytest.mark.parametrize("declares", [True, False])
def test_a_working_directory_that_was_removed_changes_nothing(
    declares: bool, package: Path, tmp_path: Path
) -> None:
    program = f"""
import os, tempfile
from tiered_cache import DiskTier, TieredCache
import acme_points
with TieredCache([DiskTier({str(tmp_path / "shared")!r})]) as cache:
    os.chdir(gone := tempfile.mkdtemp())
    os.rmdir(gone)
    value = acme_points.{"Point(5)" if declares else "Other()"}
    print([each.outcome.value for each in cache.set("key", value).tiers])
"""
    assert run(program, package) == "['written']\n"


def test_law_1_a_declaration_that_fails_leaves_its_types_unregistered(package: Path) -> None:
    info = package / "acme_points_types-1.2.dist-info" / "entry_points.txt"
    info.write_text("[tiered_cache.types]\nacme_points = acme_points_types:fail\n")
    program = """
from tiered_cache import DiskTier, TieredCache
import acme_points
with TieredCache([DiskTier("shared")]) as cache:
    for _ in range(2):
        cache.set("point", acme_points.Point(5))
    print(cache.get("point"))
"""
    printed = run(program, package)
    assert printed.count("The types of acme_points can't be registered") == 1
    assert "Point(5)" in printed.splitlines()


def test_law_9_an_unknown_name_in_a_record_imports_nothing_and_is_named() -> None:
    codec, other = RecordCodec("default"), RecordCodec("default")
    other.registry.register(Report, name="antigravity.\x1b[31mReport")
    record = encoded(other, Report("a.py"))
    with pytest.raises(UnsupportedRecordError, match="of type 'antigravity") as caught:
        codec.decode("key", record)
    assert "\x1b" not in str(caught.value)
    assert "antigravity" not in sys.modules
